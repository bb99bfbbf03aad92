/// A global that a script reads or writes although it does not exist in the sandbox.
package struct GlobalUse: Hashable, Sendable, Codable {
    package var name: String
    /// Counted from 1.
    package var line: Int
    package var isWrite: Bool

    private enum CodingKeys: String, CodingKey {
        case name, line
        case isWrite = "write"
    }

    package var advice: String {
        if isWrite {
            return "line \(line): sets the global '\(name)', which is gone after the call; "
                + "write 'local \(name)'"
        }
        let instead: [String: String] = [
            "print": "use ctx.log", "require": "a pack is one file", "os": "use ctx.now_ms",
            "io": "there are no files", "load": "there is no compiler",
            "dofile": "a pack is one file",
            "loadstring": "there is no compiler", "debug": "it is not available",
            "collectgarbage": "the memory budget is in hook.yaml", "unpack": "use table.unpack",
        ]
        return "line \(line): reads the global '\(name)', which does not exist"
            + (instead[name].map { "; \($0)" } ?? "; is it a 'local' that is missing, or misspelt?")
    }

    /// Every use of a global in the listing that `luac -l -p` prints, in the order of the lines.
    ///
    /// The compiler's own view: it knows which names are local, and sees functions that nobody
    /// calls.
    package static func all(inListing listing: String) -> [GlobalUse] {
        var uses: [GlobalUse] = []
        for line in listing.split(separator: "\n") {
            guard let use = GlobalUse(listingLine: line), !uses.contains(use) else { continue }
            uses.append(use)
        }
        return uses.sorted { ($0.line, $0.name) < ($1.line, $1.name) }
    }

    package init(name: String, line: Int, isWrite: Bool) {
        self.name = name
        self.line = line
        self.isWrite = isWrite
    }

    /// For example `\t2\t[1]\tGETTABUP \t1 0 1\t; _ENV "x"`.
    private init?(listingLine: Substring) {
        let fields = listingLine.split(separator: "\t")
        guard fields.count >= 5, fields[1].first == "[",
            let line = Int(fields[1].dropFirst().dropLast())
        else { return nil }
        let operation = fields[2].prefix { $0 != " " }
        guard operation == "GETTABUP" || operation == "SETTABUP" else { return nil }
        let mark = "; _ENV \""
        let comment = fields[4...].joined(separator: "\t")
        guard comment.hasPrefix(mark) else { return nil }
        let name = comment.dropFirst(mark.count).prefix { $0 != "\"" }
        self.init(name: String(name), line: line, isWrite: operation == "SETTABUP")
    }
}
