import ContinuityCore
import ContinuityNode

/// What can happen in the simulated world.
enum Event {
    case tick(process: Int)
    case deliver(Message)
    /// The shell gives up waiting for the answer to an order.
    case orderTimedOut(effect: Int, unreachable: Bool)
    /// The shell asks for an order's result again: the connection may be lost.
    case orderAskedAgain(effect: Int)
    case hookEnds(effect: Int)
    case alertSettles(effect: Int)
    case agentReports(node: Int, boot: Int)
    case agentProbes(node: Int, boot: Int)
    case agentChecksLease(node: Int, boot: Int, token: Int)
    case jobEnds(node: Int, boot: Int, job: Int)
    /// A promise that was given to the node which an order denies further ones to is over.
    case denialEnds(node: Int, boot: Int, command: AgentCommand, effect: Int)
    /// A program that was told to promote goes on when its agent has ended.
    case promotesAlone(node: Int)
    case guardLooks(node: Int, token: Int)
    case walArrives(from: Int, to: Int, length: Int)
    case walAcknowledged(from: Int, to: Int, length: Int)
    case walPolls(node: Int)
    case clientWrites(client: Int)
    case fault(Fault)
    case faultEnds(Fault)
    /// Only to have the invariants looked at.
    case look
}

/// What travels between machines. `from` and `to` are machines: 0 is the orchestrator's, then
/// the nodes in the order of the cluster.
struct Message {
    enum Content {
        case report(NodeReport, sentLocalMs: Int64, boot: Int)
        case reply(ReportReply, sentLocalMs: Int64, boot: Int)
        case order(AgentCommand, effect: Int)
        case result(CommandResult, effect: Int)
        case promiseAsked(PromiseAsked)
        case promiseAnswered(PromiseAsked, PromiseReply)
    }

    var from: Int
    var to: Int
    var content: Content
}

struct PromiseAsked: Hashable {
    var node: Int
    var boot: Int
    var round: Int
    var request: PromiseRequest
}
