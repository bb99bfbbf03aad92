import ContinuityTransport
import HTTPTypes
import Synchronization

/// Runs what-if simulations outside this process: the API decides what may be asked, and how much.
package protocol SimulationPort: Sendable {
    var scenarios: [String] { get }

    /// - Parameter body: A checked body of `POST /simulate`.
    /// - Returns: The report as canonical JSON: the same for the same body.
    /// - Throws: ``SimulationFailure``.
    func report(of body: [UInt8]) async throws -> [UInt8]
}

package struct SimulationFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// One simulation at a time: a failover that is under way has the machine to itself, but for one
/// process of the lowest priority.
final class SimulationGate: Sendable {
    let port: (any SimulationPort)?
    private let isBusy = Mutex(false)

    init(_ port: (any SimulationPort)?) { self.port = port }

    /// - Throws: ``Problem`` while another one runs, or when this one does not end well.
    func report(of body: [UInt8]) async throws -> [UInt8] {
        guard let port else {
            throw Problem(.notFound, "no-simulator", "this server cannot simulate")
        }
        let isFree = isBusy.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        guard isFree else {
            throw Problem(
                .tooManyRequests, "simulation-busy",
                "another simulation is under way; try again in 2 s",
                headers: [.retryAfter: "2"])
        }
        defer { isBusy.withLock { $0 = false } }
        do {
            return try await port.report(of: body)
        } catch let failure as SimulationFailure {
            throw Problem(.unprocessableContent, "simulation-failed", failure.description)
        }
    }
}
