import ContinuityCore

/// Something that goes wrong, or that a person does. Machines are numbered as in ``Message``.
enum Fault: Hashable {
    case databaseCrashes(node: Int)
    case databaseStarts(node: Int)
    case databasePauses(node: Int, ms: Int64)
    case machineStops(node: Int, ms: Int64)
    case machinePauses(node: Int, ms: Int64)
    case agentDies(node: Int, ms: Int64)
    case agentPauses(node: Int, ms: Int64)
    case guardPauses(node: Int, ms: Int64)
    /// One way: what `from` sends does not reach `to`.
    case cut(from: Int, to: Int, ms: Int64)
    case lossy(permille: Int64, delayMs: Int64, duplicatePermille: Int64, ms: Int64)
    case serveDies(ms: Int64)
    case servePauses(ms: Int64)
    /// The process dies at the next step that writes, at the point that `point` names.
    case serveDiesAtStep(point: CrashPoint, ms: Int64)
    /// Another process takes over while this one is paused; it learns so when it wakes.
    case serveIsReplaced
    case utcJumps(ms: Int64)
    /// The policy's file names another profile; the next process reads it.
    case profileChanges(DetectionSettings.Profile)
    case request(kind: PlanKind, target: Int?)
    case order(OperatorOrder)
    case person(PersonAct)
    case hookBehaves(pack: String, HookBehaviour)
    /// The node hears of one voter more, which nobody else knows of.
    case voterAdded(node: Int)
    /// A lease is granted by mistake: two orchestrators on copies of one journal, say.
    case leaseStrays(node: Int, ms: Int64)
    /// The status program answers, and does not tell the role.
    case statusIsUnknown(node: Int, ms: Int64)
    case orderFails(AgentCommand.Name, node: Int, ms: Int64)
    /// The next orderly stop does not end, and nobody can write meanwhile.
    case shutdownHangs(node: Int, ms: Int64)

    enum CrashPoint: Hashable {
        /// Nothing of the step is durable: the disk failed the write.
        case beforeAppend
        /// The first part of the step's entries is durable.
        case partOfAppend
        case afterAppend
        /// Some of the effects have left.
        case amongEffects
    }

    enum HookBehaviour: Hashable {
        case well, fails, hangs, denies
    }
}
