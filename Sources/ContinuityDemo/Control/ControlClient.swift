import ContinuityCore
import ContinuityCrypto
import ContinuityHTTP
import FoundationEssentials

/// The demo's view of the orchestrator: what any client of its API can see.
struct ControlClient: Sendable {
    let http: HTTPClient
    let baseURL: String
    let credentials: TLSCredentials

    /// One journal entry as the API gives it.
    struct Entry: Sendable {
        let seq: Int64
        let atMs: Int64
        let body: JournalBody
    }

    /// - Throws: `DemoFailure` when the server does not answer, or not as it should.
    func status() async throws -> ClusterStatus {
        let report: StatusReport = try await decoded("GET", "/status")
        let id = ClusterID(DemoLayout.clusterID)
        guard let status = report.clusters.first(where: { $0.clusterID == id }) else {
            throw DemoFailure("the orchestrator's status does not tell of the demo's cluster")
        }
        return status
    }

    /// Entries after a position, waiting up to `waitMs` for the first.
    func entries(after seq: Int64, waitMs: Int) async throws -> [Entry] {
        let path = "/audit?after=\(seq)&limit=500&wait_ms=\(waitMs)"
        let answer: JSONValue = try await decoded(
            "GET", path, timeout: .milliseconds(waitMs + 5000))
        return try (answer["entries"]?.array ?? []).map { value in
            guard let seq = value["seq"]?.int, let atMs = value["at_ms"]?.int,
                let kind = value["kind"]?.string, let body = value["body"]
            else { throw DemoFailure("the orchestrator sent a malformed journal entry") }
            let entry = JournalEntry(
                seq: seq, epoch: value["epoch"]?.int ?? 0, atMs: atMs, actor: "", clusterID: nil,
                kind: kind, body: CanonicalJSON.bytes(body), bodySHA256: "", prev: "", hash: "")
            return Entry(seq: seq, atMs: atMs, body: try JournalBody(of: entry))
        }
    }

    /// Requests a switchover and returns its run.
    func switchOver() async throws -> String {
        let answer: JSONValue = try await decoded(
            "POST", "/switchover",
            body: [
                "cluster_id": .string(DemoLayout.clusterID), "reason": "continuity demo",
                "requested_by": "demo",
            ])
        guard let run = answer["run_id"]?.string else {
            throw DemoFailure("the orchestrator accepted the switchover without naming its run")
        }
        return run
    }

    private func decoded<Answer: Decodable>(
        _ method: String, _ path: String, body: JSONValue? = nil, timeout: Duration = .seconds(5)
    ) async throws -> Answer {
        var request = HTTPRequest(
            method: method, url: "\(baseURL)/api/v1/continuity\(path)", timeout: timeout,
            maxResponseBytes: 16 << 20)
        request.credentials = credentials
        if let body {
            request.headers["Continuity-Timestamp"] = String(
                Int64(Date().timeIntervalSince1970 * 1000))
            request.headers["Continuity-Nonce"] = hexString(randomBytes(16))
            request.headers["Content-Type"] = "application/json"
            request.body = CanonicalJSON.bytes(body)
        }
        let response: HTTPResponse
        do {
            response = try await http.send(request)
        } catch {
            throw DemoFailure("\(method) \(path): \(error)")
        }
        guard response.isSuccess else {
            throw DemoFailure(
                "\(method) \(path) was answered with \(response.status)",
                details: String(decoding: response.body.prefix(2000), as: UTF8.self))
        }
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(response.body))
        } catch {
            throw DemoFailure("\(method) \(path) was not answered as expected: \(error)")
        }
    }
}
