/// What a rejoin must know of the primary.
struct PrimaryFacts: Sendable {
    let history: TimelineHistory
    let systemID: String
    /// The database system, this run of the server, and its timeline: as long as all three are the
    /// same, what was copied from it earlier is the beginning of what it has now.
    let identity: String
    /// It stands on the present timeline, behind the point where that began.
    let position: WALPosition
    /// Where its tablespaces are, by their number.
    let tablespaces: [String: String]
    /// Whether its control file names the present timeline: `pg_rewind` believes that file.
    let hasCheckpoint: Bool
    /// Whether the role may see who streams from it.
    let showsReplication: Bool
}

/// Asks a primary with the rights that a role for `pg_rewind` has: REPLICATION, and four functions.
struct PrimaryInquiry: Sendable {
    let installation: PostgresInstallation
    let primary: PrimaryConnection

    /// What PostgreSQL's manual has one grant for `pg_rewind`.
    private static let functions = [
        "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
        "pg_read_binary_file(text)", "pg_read_binary_file(text, bigint, bigint, boolean)",
    ]

    /// - Throws: `PostgresError`: who answers is no primary, runs another major version, or the
    ///   role lacks rights; these are named, all at once.
    func facts() async throws -> PrimaryFacts {
        let answers = try await sql(
            [
                "SELECT pg_is_in_recovery()",
                "SELECT current_setting('server_version_num')",
                "SELECT rolsuper, rolreplication FROM pg_roles WHERE rolname = current_user",
                "SELECT pg_has_role('pg_monitor', 'USAGE')",
                "SELECT count(*) FROM pg_roles WHERE rolname = 'pg_checkpoint' "
                    + "AND pg_has_role(oid, 'USAGE')",
                "SELECT extract(epoch FROM pg_postmaster_start_time())",
            ]
                + Self.functions.map {
                    "SELECT has_function_privilege(\(Quote.literal("pg_catalog.\($0)")), 'EXECUTE')"
                })
        guard answers.count == 6 + Self.functions.count else {
            throw PostgresError("the primary at \(primary.address) answers something else")
        }
        guard answers[0] == "f" else {
            throw PostgresError("the server at \(primary.address) is a standby, not a primary")
        }
        let version = (Int(answers[1]) ?? 0) / 10_000
        guard version == installation.majorVersion else {
            throw PostgresError(
                "the primary at \(primary.address) is PostgreSQL \(version), this node is "
                    + "\(installation.majorVersion): they cannot replicate")
        }
        let rights = answers[2].split(separator: "|", omittingEmptySubsequences: false)
        let isSuperuser = rights.first == "t"
        try checkRights(
            canReplicate: isSuperuser || rights.last == "t", functions: answers.suffix(4))
        let mayCheckpoint = isSuperuser || (version >= 15 && answers[4] == "1")
        if mayCheckpoint { _ = try await sql(["CHECKPOINT"], timeout: .seconds(3600)) }
        return try await assemble(
            started: answers[5], showsReplication: isSuperuser || answers[3] == "t")
    }

    private func checkRights(
        canReplicate: Bool, functions: ArraySlice<String>
    ) throws(PostgresError) {
        let role = Self.identifier(primary.user)
        var missing = canReplicate ? [] : ["ALTER ROLE \(role) REPLICATION;"]
        for (name, answer) in zip(Self.functions, functions) where answer != "t" {
            missing.append("GRANT EXECUTE ON FUNCTION pg_catalog.\(name) TO \(role);")
        }
        guard missing.isEmpty else {
            throw PostgresError(
                "the role \(role) lacks rights on the primary at \(primary.address); run there, "
                    + "in the database \(PostgresNode.database): \(missing.joined(separator: " "))")
        }
    }

    private static func identifier(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    private func assemble(started: String, showsReplication: Bool) async throws -> PrimaryFacts {
        let said = try await replication(["IDENTIFY_SYSTEM"])
        let fields = said.split(separator: "\n").first?
            .split(separator: "|", omittingEmptySubsequences: false)
        guard let fields, fields.count >= 3, let timeline = UInt32(fields[1]),
            let position = WALPosition(fields[2])
        else {
            throw PostgresError(
                "the primary at \(primary.address) does not identify itself", details: said)
        }
        let text = timeline == 1 ? "" : try await replication(["TIMELINE_HISTORY \(timeline)"])
        let rest = try await sql([
            "SELECT timeline_id FROM pg_control_checkpoint()",
            "SELECT oid || '|' || pg_tablespace_location(oid) FROM pg_tablespace "
                + "WHERE pg_tablespace_location(oid) LIKE '/%'",
        ])
        let tablespaces = rest.dropFirst().reduce(into: [String: String]()) { found, line in
            guard let bar = line.firstIndex(of: "|") else { return }
            found[String(line[..<bar])] = String(line[line.index(after: bar)...])
        }
        return PrimaryFacts(
            history: TimelineHistory(current: timeline, parsing: Self.history(in: text)),
            systemID: String(fields[0]), identity: "\(fields[0])|\(started)|\(timeline)",
            position: position, tablespaces: tablespaces,
            hasCheckpoint: rest.first == "\(timeline)", showsReplication: showsReplication)
    }

    /// Its timelines and how far it has come, at once and without a checkpoint.
    ///
    /// - Throws: `PostgresError`, also for who is no primary (yet).
    func standing() async throws -> (history: TimelineHistory, position: WALPosition) {
        guard try await sql(["SELECT pg_is_in_recovery()"], timeout: .seconds(2)) == ["f"] else {
            throw PostgresError("the server at \(primary.address) is no primary")
        }
        let said = try await replication(["IDENTIFY_SYSTEM"], .seconds(2))
        let fields = said.split(separator: "\n").first?
            .split(separator: "|", omittingEmptySubsequences: false)
        guard let fields, fields.count >= 3, let timeline = UInt32(fields[1]),
            let position = WALPosition(fields[2])
        else { throw PostgresError("the primary at \(primary.address) does not identify itself") }
        let text =
            timeline == 1
            ? "" : try await replication(["TIMELINE_HISTORY \(timeline)"], .seconds(2))
        return (TimelineHistory(current: timeline, parsing: Self.history(in: text)), position)
    }

    /// The answer is `00000002.history|` and the file.
    private static func history(in text: String) -> String {
        guard let bar = text.firstIndex(of: "|") else { return "" }
        return String(text[text.index(after: bar)...])
    }

    /// Waits until the primary's control file names its present timeline, which PostgreSQL itself
    /// sees to after a promotion, within its `checkpoint_timeout`.
    func waitForCheckpoint(of timeline: UInt32, progress: @Sendable (String) -> Void) async throws {
        progress(
            "waiting for the primary's first checkpoint since its promotion; the right to ask for "
                + "one makes this shorter: GRANT pg_checkpoint TO "
                + Self.identifier(primary.user))
        let isThere = try await poll(every: .seconds(1), for: .seconds(3600)) {
            try await sql(["SELECT timeline_id FROM pg_control_checkpoint()"]) == ["\(timeline)"]
        }
        guard isThere else {
            throw PostgresError("the primary at \(primary.address) makes no checkpoint")
        }
    }

    /// Bytes of the primary's WAL, or `nil` where it has that segment no more.
    func wal(files: [String], offset: UInt64, count: Int) async throws -> [UInt8]? {
        let reads = files.map {
            "pg_read_binary_file('pg_wal/\($0)', \(offset), \(count), true)"
        }
        let answer = try await sql([
            "SELECT encode(coalesce(\(reads.joined(separator: ", "))), 'hex')"
        ])
        guard let text = answer.first, !text.isEmpty else { return nil }
        let digits = Array(text.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).map { index in
            UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) ?? 0
        }
    }

    /// Whether it feeds a standby of this name with changes of the present timeline. It also
    /// streams, for a moment, to one that went on where that timeline began: the end of the one
    /// before. What counts is that it has sent something of its own.
    func feeds(from position: WALPosition) async throws -> Bool {
        let count = try await sql([
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' "
                + "AND sent_lsn >= \(Quote.literal(position.description)) "
                + "AND application_name = \(Quote.literal(primary.applicationName)) "
                + "AND pid <> pg_backend_pid()"
        ])
        return count.first.flatMap { Int($0) } ?? 0 >= 1
    }

    /// The lines of all answers.
    private func sql(_ statements: [String], timeout: Duration = .seconds(30)) async throws
        -> [String]
    {
        let answer = try await ask(
            primary.clientConninfo(database: PostgresNode.database), statements, timeout)
        return answer.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map(String.init)
    }

    private func replication(
        _ commands: [String], _ timeout: Duration = .seconds(30)
    ) async throws -> String {
        try await ask(primary.replicationConninfo, commands, timeout)
    }

    private func ask(
        _ conninfo: String, _ statements: [String], _ timeout: Duration
    ) async throws -> String {
        let argv = installation.clientProgram(
            "psql",
            ["-XAtq", "-v", "ON_ERROR_STOP=1", "--no-password", "-d", conninfo]
                + statements.flatMap { ["-c", $0] })
        let answer = try await Program.run(argv, timeout: timeout)
        guard answer.isSuccess else {
            throw PostgresError(
                "the primary at \(primary.address) does not answer \(Quote.literal(primary.user))",
                details: Program.lastLines(of: answer.output))
        }
        return answer.output
    }
}
