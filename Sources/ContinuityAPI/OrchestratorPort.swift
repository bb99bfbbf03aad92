package import ContinuityCore

/// A cluster that the server runs, as far as plans from elsewhere are held against it.
package struct ServedCluster: Sendable {
    package var cluster: Cluster
    package var policy: FailoverPolicy
    /// As measured here.
    package var estimates: ActionEstimates

    package init(cluster: Cluster, policy: FailoverPolicy, estimates: ActionEstimates) {
        self.cluster = cluster
        self.policy = policy
        self.estimates = estimates
    }
}

/// Why the orchestrator has not answered, and what that says of what it was asked for.
package enum OrchestratorUnavailable: Error, Hashable, Sendable, CustomStringConvertible {
    /// More waits than it can take. Nothing was done.
    case overloaded
    /// The process is ending. Nothing was done.
    case stopping
    /// The journal could not be written or read. `isDurable`: whether what was asked for stands in
    /// it all the same, and is carried out; `nil`: that could not be read either.
    case journalUnavailable(reason: String, isDurable: Bool? = false)

    package var description: String {
        switch self {
        case .overloaded: "the server has more to do than it can take; try again"
        case .stopping: "the server is stopping; nothing was done"
        case .journalUnavailable(let reason, false):
            "the journal cannot be used, nothing was done: \(reason)"
        case .journalUnavailable(let reason, true):
            "the journal failed after what was asked for was recorded, and it is carried out; do "
                + "not ask again: \(reason)"
        case .journalUnavailable(let reason, nil):
            "the journal cannot be used, and it is not known whether what was asked for was "
                + "recorded; look at the status before asking again: \(reason)"
        }
    }
}

/// What the API needs of the server: a port, so that tests can stand behind it. Its functions throw
/// ``OrchestratorUnavailable`` where they cannot answer.
package protocol OrchestratorPort: Sendable {
    func report(_ report: NodeReport) async throws -> Reply
    func request(_ request: OperatorRequest) async throws -> Reply
    func order(_ order: OperatorOrder, by actor: String) async throws -> Reply
    func approval(_ act: ApprovalAct, by principal: Principal) async throws -> Reply
    func drill(_ request: DrillRequest) async throws -> Reply
    /// `nil`: it is not known here; the journal has every report.
    func drillProgress(_ id: RunID) async throws -> DrillProgress?
    /// Reads the pack folders anew and swaps what checks.
    func reloadHooks(requestedBy: String) async throws -> Reply
    func tokens() async throws -> [AccessToken]
    /// At once, from what the journal said last.
    func token(sha256: String) -> AccessToken?
    func createToken(_ token: AccessToken) async throws -> Reply
    func revokeToken(_ id: TokenID, reason: String, by person: String) async throws -> Reply
    func claimToken(_ claim: TokenClaim) async throws -> Reply
    /// Journals it, as far as such entries are not too many.
    func noteLoginRefused(_ refusal: LoginRefused) async
    /// Journals it where it was not lately. Returns without, when it cannot.
    func noteCredentialUsed(_ use: CredentialUsed, by person: String) async
    func status() async throws -> StatusReport
    /// Up to `limit` entries after `seq`; waits up to `waitMs` for the first where there is none.
    func entries(after seq: Int64, limit: Int, waitMs: Int64) async throws -> [JournalEntry]
    /// The entries that fit; waits up to `waitMs` for a new one where there is none.
    func entries(_ query: JournalQuery, waitMs: Int64) async throws -> [JournalEntry]
    func entry(_ seq: Int64) async throws -> JournalEntry?
    /// The entry that began a run; `nil`: the journal has no such run.
    func beginning(of run: RunID) async throws -> JournalEntry?
    /// `nil`: it is not one of this server's.
    func servedCluster(_ id: ClusterID) async throws -> ServedCluster?
    /// Where the journal ended when this server started.
    var firstSeq: Int64 { get }
    /// Whether the server has the lead and can take entries.
    var isReady: Bool { get }
}
