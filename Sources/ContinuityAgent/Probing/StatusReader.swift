import ContinuityCore
import ContinuityNode
import Foundation

/// Runs the `status` command, never twice at once. Who asks while it runs gets the answer of the
/// next run, which is shared: an answer is never older than its question.
actor StatusReader {
    enum Answer: Sendable, Equatable {
        case reading(StatusReading)
        case failure(String)

        var reading: StatusReading? {
            guard case .reading(let reading) = self else { return nil }
            return reading
        }
    }

    private let template: CommandTemplate
    private let environment: [String: String]
    private let values: [String: String]
    private var isRunning = false
    private var waiting: [CheckedContinuation<Answer, Never>] = []
    /// The last reading, and when it was asked for.
    private var last: (reading: StatusReading, askedAt: BootInstant)?

    init(template: CommandTemplate, environment: [String: String], values: [String: String]) {
        self.template = template
        self.environment = template.environment.merging(environment) { $1 }
        self.values = values
    }

    func read() async -> Answer {
        await withCheckedContinuation { continuation in
            waiting.append(continuation)
            if !isRunning { startNext() }
        }
    }

    /// The last answer, where it was asked for within the time given; a failure since then forgets it.
    func reading(notOlderThanMs ms: Int64) -> StatusReading? {
        guard let last, .now - last.askedAt <= ms else { return nil }
        return last.reading
    }

    private func startNext() {
        isRunning = !waiting.isEmpty
        guard isRunning else { return }
        let batch = waiting
        waiting = []
        // Not a child task: its askers come and go, and it is bounded by its own timeout.
        Task {
            let askedAt = BootInstant.now
            let answer = await run()
            last = answer.reading.map { ($0, askedAt) }
            for continuation in batch { continuation.resume(returning: answer) }
            startNext()
        }
    }

    private func run() async -> Answer {
        guard let argv = template.arguments(with: values) else {
            return .failure("'status' uses a placeholder that only other commands have")
        }
        let result = await ProgramRunner.run(
            argv: argv, environment: environment, timeoutMs: template.timeoutMs)
        guard result.succeeded else { return .failure("status \(result.explanation)") }
        return Self.parse(result.output)
    }

    private static let detailCharactersMax = 500

    static func parse(_ output: [UInt8]) -> Answer {
        struct Printed: Decodable {
            var role: ServiceReport.Role
            var positionBytes: Int64?
            var lagMs: Int64?
            var streaming: Bool?
            var synchronous: Bool?
            var detail: String?

            enum CodingKeys: String, CodingKey {
                case role
                case positionBytes = "position_bytes"
                case lagMs = "lag_ms"
                case streaming, synchronous, detail
            }
        }
        do {
            let printed = try JSONDecoder().decode(Printed.self, from: Data(output))
            return .reading(
                StatusReading(
                    role: printed.role, positionBytes: printed.positionBytes,
                    lagMs: printed.lagMs, streaming: printed.streaming ?? false,
                    isSynchronous: printed.synchronous,
                    detail: String((printed.detail ?? "").prefix(detailCharactersMax))))
        } catch {
            let start = String(decoding: output.prefix(200), as: UTF8.self)
            return .failure(
                "status printed '\(start)', not one JSON object with role, position_bytes, lag_ms"
                    + " and streaming")
        }
    }
}
