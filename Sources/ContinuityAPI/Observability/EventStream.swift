import ContinuityCore
import ContinuityTransport
import Hummingbird
import ServiceLifecycle
import Synchronization

/// `GET /events`: the journal as server-sent events, each with its entry's number, so that whoever
/// was cut off goes on where they were.
///
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html>
///
/// A stream is an answer like any other and ends within the time that any answer may take; its
/// reader comes again by itself, with `Last-Event-ID`. So a credential that was withdrawn is
/// worth nothing after that time, and a reader who takes nothing is cut.
final class EventStreams: Sendable {
    private static let batch = 200
    /// Short enough that a server which is told to stop is not held up.
    private static let waitMs: Int64 = 500
    /// Between two signs of life, in waits.
    private static let quietWaits = 20
    private static let countMax = 64
    /// A browser with some tabs, or a few programs: one person cannot take them all.
    private static let countOfPersonMax = 8
    private static let retryMs = 250

    private let open = Mutex<[String: Int]>([:])
    private let lifetime: Duration

    /// - Parameter bounds: Of every answer.
    init(bounds: TransportBounds) {
        lifetime = bounds.responseTime * 3 / 4
    }

    /// - Parameters:
    ///   - after: The last entry that the reader has; `nil`: it begins with what is next.
    ///   - reader: Who reads.
    /// - Throws: ``Problem`` when too many read already.
    func response(
        after: Int64?, for reader: String, of orchestrator: any OrchestratorPort,
        where isVisible: @escaping @Sendable (JournalEntry) -> Bool
    ) async throws -> Response {
        try take(reader)
        var isTaken = true
        defer { if isTaken { release(reader) } }
        let start: Int64
        if let after {
            start = after
        } else {
            start = try await APIServer.journaled { try await orchestrator.status() }.seq
        }
        // From here on the body holds the place, also where it is thrown away unread.
        let place = StreamPlace { [self] in release(reader) }
        isTaken = false
        let body = ResponseBody { [self] writer in
            defer { place.release() }
            try await write(after: start, of: orchestrator, where: isVisible, to: &writer)
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], body: body)
    }

    private func take(_ reader: String) throws {
        let trouble: String? = open.withLock { open in
            if open.values.reduce(0, +) >= Self.countMax {
                return "\(Self.countMax) read the events already"
            }
            if open[reader, default: 0] >= Self.countOfPersonMax {
                return "\(reader) reads the events \(Self.countOfPersonMax) times already"
            }
            open[reader, default: 0] += 1
            return nil
        }
        guard let trouble else { return }
        throw Problem(
            .tooManyRequests, "too-many-streams", "\(trouble); try again in 5 s",
            headers: [.retryAfter: "5"])
    }

    private func release(_ reader: String) {
        open.withLock { open in
            let left = open[reader, default: 1] - 1
            open[reader] = left > 0 ? left : nil
        }
    }

    private func write(
        after start: Int64, of orchestrator: any OrchestratorPort,
        where isVisible: @Sendable (JournalEntry) -> Bool, to writer: inout any ResponseBodyWriter
    ) async throws {
        let end = ContinuousClock.now + lifetime
        var seq = start
        var quiet = 0
        try await writer.write(ByteBuffer(string: "retry: \(Self.retryMs)\n\n"))
        while ContinuousClock.now < end, !Task.isCancelled, !Task.isShuttingDownGracefully {
            let entries = try await orchestrator.entries(
                after: seq, limit: Self.batch, waitMs: Self.waitMs)
            var text = ""
            for entry in entries where isVisible(entry) {
                let data = String(decoding: entry.jsonBytes(), as: UTF8.self)
                text += "id: \(entry.seq)\nevent: \(entry.kind)\ndata: \(data)\n\n"
            }
            // Whoever sees none of these entries need not have them looked through again.
            if text.isEmpty, let last = entries.last { text = "id: \(last.seq)\n\n" }
            seq = entries.last?.seq ?? seq
            quiet = text.isEmpty ? quiet + 1 : 0
            if quiet == Self.quietWaits {
                text = ":\n\n"
                quiet = 0
            }
            if !text.isEmpty { try await writer.write(ByteBuffer(string: text)) }
        }
    }
}

/// One place among those who read, given back once.
private final class StreamPlace: Sendable {
    private let giveBack: Mutex<(@Sendable () -> Void)?>

    init(_ giveBack: @escaping @Sendable () -> Void) { self.giveBack = Mutex(giveBack) }

    func release() { giveBack.withLock { $0.take() }?() }

    deinit { release() }
}
