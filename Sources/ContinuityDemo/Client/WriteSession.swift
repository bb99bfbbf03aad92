import ContinuityPostgres
import Subprocess
import SystemPackage

/// One psql that writes row after row to one node until the node or the task ends.
struct WriteSession: Sendable {
    let node: PostgresNode
    let table: String

    private enum Reply {
        case acknowledged
        case refused
    }

    /// - Throws: when psql cannot be started or ends: the server went away.
    func run(
        nextID: @escaping @Sendable () -> Int64,
        onAcknowledgement: @escaping @Sendable (WriteProbe.Acknowledgement) -> Void
    ) async throws {
        var options = PlatformOptions()
        options.teardownSequence = [
            .gracefulShutDown(allowedDurationToNextStep: .milliseconds(200))
        ]
        let argv = node.installation.clientProgram("psql", ["-XAtq", "-d", node.socketConninfo])
        let configuration = Configuration(
            executable: .path(FilePath(argv[0])), arguments: Arguments(Array(argv.dropFirst())),
            environment: .inherit.updating([
                "LC_ALL": "C", "PGPASSFILE": nil, "PGSERVICE": nil,
                // A standby refuses hundreds of writes a second: none of that belongs in its log.
                "PGOPTIONS": "-c log_min_messages=fatal -c log_min_error_statement=panic",
            ]),
            platformOptions: options)
        _ = try await Subprocess.run(
            configuration, input: .inputWriter, output: .sequence, error: .combinedWithOutput
        ) { execution in
            var lines = LineReader(execution.standardOutput.makeAsyncIterator())
            while !Task.isCancelled {
                let id = nextID()
                let statement =
                    "INSERT INTO \(table) VALUES (\(id), '\(node.id)') RETURNING id;\n"
                let sentAt = ContinuousClock.now
                _ = try await execution.standardInputWriter.write(statement)
                switch try await reply(to: id, &lines) {
                case .acknowledged:
                    onAcknowledgement(
                        .init(
                            id: id, nodeID: node.id, sentAt: sentAt,
                            acknowledgedAt: ContinuousClock.now))
                    try await Task.sleep(for: WriteProbe.pace)
                case .refused:
                    try await Task.sleep(for: WriteProbe.refusedPace)
                case nil: return
                }
            }
        }
    }

    /// Reads on until this write's own answer; `nil` when the session has ended. Warnings and the
    /// further lines of an error mean nothing by themselves.
    private func reply(to id: Int64, _ lines: inout LineReader) async throws -> Reply? {
        let acknowledged = String(id)
        while let line = try await lines.next() {
            if line == acknowledged { return .acknowledged }
            if line.hasPrefix("ERROR:") { return .refused }
            if line.hasPrefix("FATAL:") { return nil }
        }
        return nil
    }
}

/// Cuts a program's output into lines as it comes.
private struct LineReader {
    private var buffers: SubprocessOutputSequence.AsyncIterator
    private var pending: [UInt8] = []

    init(_ buffers: SubprocessOutputSequence.AsyncIterator) {
        self.buffers = buffers
    }

    mutating func next() async throws -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                return line
            }
            guard let buffer = try await buffers.next() else { return nil }
            buffer.withUnsafeBytes { pending.append(contentsOf: $0) }
        }
    }
}
