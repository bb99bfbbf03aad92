/// A dead primary with a policy that denies is tried again and again: people are told of it once.
extension ClusterState {
    /// Whether a run would follow one of its own kind that was refused, with nobody asking anew.
    func retriesRefusal(of plan: Plan, by trigger: RunTrigger) -> Bool {
        guard let last = lastRun, last.state == .refused, trigger != RunTrigger.requested else {
            return false
        }
        return last.kind == plan.kind && last.fromNodeID == plan.primaryNodeID
    }

    /// Whether a run is refused for the same reason as the one before it.
    func repeatsRefusal(of run: RunState, because reason: String) -> Bool {
        retriesRefusal(of: run.plan, by: run.trigger) && lastRun?.reason == reason
    }
}
