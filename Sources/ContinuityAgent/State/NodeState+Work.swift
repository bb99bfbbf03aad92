import ContinuityCore
import ContinuityNode
import Synchronization

/// An order under way whose work is as long as the data is.
struct WorkUnderWay: Sendable {
    var key: OperationKey
    var command: AgentCommand.Name
    var beganAt: BootInstant
    var movedAt: BootInstant

    func report(at now: BootInstant) -> NodeWork {
        NodeWork(
            key: key, command: command.rawValue, runningMs: max(0, now - beganAt),
            stillMs: max(0, now - movedAt))
    }
}

/// What the reports say of such work, so that nobody who waits for it takes it for failed.
extension NodeState {
    func beginWork(_ command: AgentCommand) {
        guard command.name.isAsLongAsData else { return }
        storage.withLock {
            $0.work = WorkUnderWay(
                key: command.key, command: command.name, beganAt: .now, movedAt: .now)
        }
        reportNow.signal()
    }

    func workMoved(_ key: OperationKey) {
        storage.withLock { storage in
            if storage.work?.key == key { storage.work?.movedAt = .now }
        }
    }

    func endWork(_ key: OperationKey) {
        storage.withLock { storage in
            if storage.work?.key == key { storage.work = nil }
        }
    }
}
