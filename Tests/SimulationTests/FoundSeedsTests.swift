import ContinuitySimulation
import Testing

/// Seeds that once broke a rule, with what they found. A change of the core or of the faults can
/// make a seed meet something else: what each found has a test of its own in `LineageTests`, or a
/// scenario, too.
@Suite struct FoundSeedsTests {
    static let found: [(seed: UInt64, what: String)] = [
        (368, "a rejoin that was never answered had made a node hold acknowledged writes"),
        (767, "what an agent remembered of a database that did not answer counted as its position"),
        (914, "a node that was pointed to the primary in an earlier term counted as its replica"),
        (3526, "no connection at the second attempt was taken for an order that never arrived"),
        (1121, "a report from before a stall of serve was counted as lasting until after it"),
        (3926, "a primary that was started again moved because it was failed still"),
        (366, "a target of another history was tried again and again"),
        (6, "a node that streams was never confirmed after an order without an answer"),
        (1411, "a restart that a hook refused counted as one that was tried"),
        (1454, "a restart under way while its node's lease was thought to be over"),
        (43, "what waited for an approval began while the cluster was paused"),
        (203, "an arranged move began again when its run had failed and serve had died meanwhile"),
        (747, "a standby that had taken nothing from a primary's term yet succeeded it"),
        (377, "a restart that takes longer than a lease was fenced when it had succeeded"),
        (2620, "a failover that could not succeed was tried again, the primary not started"),
    ]

    @Test(arguments: found.indices)
    func holdsNow(_ index: Int) {
        let (seed, what) = Self.found[index]
        let result = Simulation.run(seed: seed, minutes: 3)
        #expect(result.violation == nil, "seed \(seed), once: \(what)")
    }
}
