import ContinuityCommandLine
import ContinuityCore
import Foundation

/// Waits for what becomes of a run, by the journal of a server.
struct RunWatch {
    enum End {
        case committed(RunID, detail: String)
        case refused(String)
        case failed(String)
        case timedOut
    }

    enum Beginning {
        case admitted
        case ended(End)
        /// It took too long to say.
        case unknown
    }

    private static let beginningS: Int64 = 15
    private static let waitMs = 5000

    let server: ServerOptions
    /// Where the journal ended before the run was asked for.
    let after: Int64
    let maxS: Int64

    /// Waits until the run is admitted or has ended.
    func beginning(of run: RunID) async throws -> Beginning {
        try await first(withinS: Self.beginningS) { body, _ in
            if let end = Self.end(body, of: run) { return .ended(end) }
            if case .runAdmitted(let admitted) = body, admitted.runID == run { return .admitted }
            return nil
        } ?? .unknown
    }

    func end(of run: RunID) async throws -> End {
        try await first(withinS: maxS) { body, _ in Self.end(body, of: run) } ?? .timedOut
    }

    /// Waits until others have answered, and then for the run.
    func end(of approval: ApprovalID) async throws -> End {
        let answer: (RunID?, End?)? = try await first(withinS: maxS) { body, _ in
            switch body {
            case .runRequested(let run) where run.approvalID == approval: (run.runID, nil)
            case .approvalEnded(let end)
            where end.approvalID == approval && end.outcome != .approved:
                (nil, .refused("\(approval) is \(end.outcome.rawValue): \(end.reason)"))
            default: nil
            }
        }
        guard let answer else { return .timedOut }
        if let end = answer.1 { return end }
        guard let run = answer.0 else { return .timedOut }
        return try await end(of: run)
    }

    private static func end(_ body: JournalBody, of run: RunID) -> End? {
        guard case .runFinished(let finished) = body, finished.runID == run else { return nil }
        let why = finished.reason.isEmpty ? "" : ": \(finished.reason)"
        let text = "\(run) is \(finished.state.rawValue)\(why)"
        return switch finished.state {
        case .committed: .committed(run, detail: " after \(finished.durationMs) ms")
        case .refused: .refused(text)
        case .failed, .rolledBack: .failed(text)
        }
    }

    /// The first entry after the beginning of which `find` makes something.
    private func first<Found>(
        withinS: Int64, _ find: (JournalBody, PrintedEntry) throws -> Found?
    ) async throws -> Found? {
        let end = ContinuousClock.now + .seconds(withinS)
        var seq = after
        while ContinuousClock.now < end {
            let left = ContinuousClock.now.duration(to: end).components.seconds * 1000
            let wait = max(0, min(Int64(Self.waitMs), left))
            for entry in try await server.entries(after: seq, waitMs: wait) {
                seq = entry.seq
                guard let body = try? entry.content, let found = try find(body, entry) else {
                    continue
                }
                return found
            }
        }
        return nil
    }
}

extension PrintedEntry {
    /// - Throws: for a kind that this version does not know.
    var content: JournalBody {
        get throws {
            try JournalBody(
                of: JournalEntry(
                    seq: seq, epoch: epoch, atMs: atMs, actor: actor,
                    clusterID: clusterID.map { ClusterID($0) }, kind: kind,
                    body: CanonicalJSON.bytes(body), bodySHA256: bodySHA256, prev: prev,
                    hash: hash))
        }
    }
}

extension ServerOptions {
    private struct Page: Decodable { var entries: [PrintedEntry] }

    /// The next entries; waits for one where there is none.
    ///
    /// - Throws: also for a server whose pages do not come nearer to an end.
    func entries(
        after seq: Int64, kind: String? = nil, limit: Int = 1000, newest: Bool = false,
        waitMs: Int64 = 0
    ) async throws -> [PrintedEntry] {
        var path = "audit?after=\(seq)&limit=\(limit)"
        if let kind { path += "&kind=\(kind)" }
        if newest { path += "&newest=true" }
        if waitMs > 0 { path += "&wait_ms=\(waitMs)" }
        let entries = try await get(Page.self, path).entries
        var last = seq
        for entry in entries {
            guard entry.seq > last else {
                throw failure(
                    "the server gives entry \(entry.seq) after entry \(last): its pages are not in "
                        + "order", Exit.internalError)
            }
            last = entry.seq
        }
        return entries
    }
}
