/// An order under way at an agent whose work is as long as the data is: how long it has run, and
/// when it last moved.
package struct NodeWork: Codable, Hashable, Sendable {
    package var key: OperationKey
    /// As in ``AgentCommand/Name``; a newer agent may have others.
    package var command: String
    package var runningMs: Int64
    /// For how long nothing has moved. The agent itself ends what stands still for too long.
    package var stillMs: Int64

    package init(key: OperationKey, command: String, runningMs: Int64, stillMs: Int64) {
        self.key = key
        self.command = command
        self.runningMs = runningMs
        self.stillMs = stillMs
    }

    private enum CodingKeys: String, CodingKey {
        case key, command
        case runningMs = "running_ms"
        case stillMs = "still_ms"
    }
}

extension NodeWork {
    package var bounded: NodeWork {
        NodeWork(
            key: OperationKey(WireBounds.text(key.rawValue, bytes: 4 * WireBounds.nameBytesMax)),
            command: WireBounds.text(command, bytes: WireBounds.nameBytesMax),
            runningMs: WireBounds.bounded(runningMs), stillMs: WireBounds.bounded(stillMs))
    }
}

extension AgentCommand.Name {
    /// Whether its work is as long as the data is: no fixed time bounds it, but that it must move.
    package var isAsLongAsData: Bool { self == .rejoin }
}
