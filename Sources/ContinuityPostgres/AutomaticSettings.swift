/// `postgresql.auto.conf`: a person's settings, which `ALTER SYSTEM` put there, and one of ours.
///
/// Ours is `primary_conninfo`. It cannot stand in a file of its own: `ALTER SYSTEM`, with which a
/// running standby is pointed elsewhere, writes this file anew without its `include` lines.
enum AutomaticSettings {
    static let fileName = "postgresql.auto.conf"
    private static let ours = "primary_conninfo"

    /// Of which a standby must have at least as much as its primary: it refuses to start else.
    private static let atLeastAsThePrimary: Set<String> = [
        "max_connections", "max_worker_processes", "max_wal_senders",
        "max_prepared_transactions", "max_locks_per_transaction",
    ]

    /// What a standby's file shall hold.
    ///
    /// - Parameters:
    ///   - own: what this node had before. Its settings stay.
    ///   - copied: what came from the primary; counts where the node had none, and where the
    ///     primary has more of what a standby must not have less of.
    static func text(
        own: String?, copied: String?, following connection: PrimaryConnection
    ) -> String {
        var lines: [String] = []
        for line in (own ?? copied ?? "").split(separator: "\n", omittingEmptySubsequences: false) {
            guard let name = Self.name(of: line) else {
                lines.append(String(line))
                continue
            }
            if name != ours { lines.append(String(line)) }
        }
        while lines.last == "" { lines.removeLast() }
        if own != nil, let copied {
            for line in copied.split(separator: "\n") {
                guard let name = Self.name(of: line), atLeastAsThePrimary.contains(name),
                    let theirs = number(in: line)
                else { continue }
                let mine = lines.last { Self.name(of: $0) == name }.flatMap { number(in: $0) }
                if theirs > mine ?? -1 { lines.append(String(line)) }
            }
        }
        if lines.isEmpty {
            lines.append("# Settings of ALTER SYSTEM. continuity writes primary_conninfo alone.")
        }
        lines.append("\(ours) = \(Quote.setting(connection.conninfo))")
        return lines.joined(separator: "\n") + "\n"
    }

    /// The setting that a line names, in lower case. PostgreSQL takes `name value` too.
    static func name(of line: some StringProtocol) -> String? {
        let text = line.drop { $0 == " " || $0 == "\t" }
        let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        return name.isEmpty ? nil : name.lowercased()
    }

    private static func number(in line: some StringProtocol) -> Int? {
        let match = Substring(line).firstMatch(of: #/^\s*\w+[\s=']*(\d{1,9})/#)
        return match.flatMap { Int($0.1) }
    }
}
