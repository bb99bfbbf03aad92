/// A rule that is broken on purpose, to show that the checker sees it. The core itself is never
/// changed: the harness around it lies, loses or repeats.
package enum SimulationMutation: String, CaseIterable, Sendable {
    /// Agent and guard never fence at the end of a lease.
    case leaseNeverEnds = "lease_never_ends"
    /// The orchestrator's clock runs three times too fast: leases are not waited out.
    case orchestratorClockRuns = "orchestrator_clock_runs"
    /// The agents' clocks run at half speed, far beyond the margin.
    case agentClocksCrawl = "agent_clocks_crawl"
    /// The lease counts from the arrival of the answer, not from the sending of the report.
    case leaseFromArrival = "lease_from_arrival"
    /// Every answer to the journal's primary carries a lease, whatever the core says.
    case leaseAlwaysGranted = "lease_always_granted"
    /// A fence order is answered with a receipt, and nothing is stopped.
    case receiptForged = "receipt_forged"
    /// Effects leave before their entries are durable.
    case effectsBeforeJournal = "effects_before_journal"
    /// A part of what was appended is missing after a restart.
    case journalLosesEntry = "journal_loses_entry"
    /// Agents forget results: a repeated order is carried out again.
    case resultsForgotten = "results_forgotten"
    /// Agents carry out orders of an earlier leadership.
    case epochsIgnored = "epochs_ignored"
    /// Agents report every peer as unreachable.
    case peerViewsForged = "peer_views_forged"
    /// The core is not told of its own stalls: ticks are made up for them.
    case stallsHidden = "stalls_hidden"
    /// A promise not to be promoted is given and forgotten.
    case promisesBroken = "promises_broken"
    /// Secondaries tell a position that they do not have.
    case positionsForged = "positions_forged"
    /// The core is told that every hook may be repeated.
    case hooksRepeated = "hooks_repeated"
    /// The orchestrator's clock stands still during a run: its deadline never comes.
    case deadlineNeverComes = "deadline_never_comes"
    /// Nodes that should come back never do.
    case rejoinNeverWorks = "rejoin_never_works"
    /// Holds reach the journal without their evidence.
    case holdsWithoutEvidence = "holds_without_evidence"
    /// An agent that starts beside a running primary leaves it alone for ten seconds more.
    case restartedAgentIsPatient = "restarted_agent_is_patient"
    /// A lease from promises is as long as the promises, with no margin for clocks.
    case promisesWithoutMargin = "promises_without_margin"
    /// A voter that was told to deny the old primary its promise goes on giving it.
    case promisesNotDenied = "promises_not_denied"
    /// Any answer to a report ends a denial, also while the run goes on that counts on it.
    case denialsEndTooSoon = "denials_end_too_soon"
    /// A refused promotion is carried out when a copy of the order arrives later.
    case refusalsForgotten = "refusals_forgotten"
    /// An order whose sender has hung up is carried out all the same.
    case lateOrdersAccepted = "late_orders_accepted"
    /// A process that starts does not know which leases the policy before granted.
    case formerLeasesForgotten = "former_leases_forgotten"
    /// The core is not told that moves need approvals.
    case approvalsForgotten = "approvals_forgotten"
    /// The core is told that every active node can bear the whole load.
    case capacitiesIgnored = "capacities_ignored"

    /// A node takes a lease although it has promised another not to be promoted.
    case leaseAgainstPromise = "lease_against_promise"
    /// A voter promises to an asker that does not count it, or not all whom the voter knows.
    case promiseSetIgnored = "promise_set_ignored"
    /// An agent that was killed in the middle of a promotion does not know that it was begun.
    case begunForgotten = "begun_forgotten"
    /// A status program that does not tell the role takes back that the service is primary.
    case unknownDisarms = "unknown_disarms"

    /// Whether it makes a clock wrong: a node that compares clocks would see it, and be safe.
    var breaksClocks: Bool {
        switch self {
        case .orchestratorClockRuns, .agentClocksCrawl, .deadlineNeverComes: true
        default: false
        }
    }

    /// Whether its seeds have nobody who orders anything and peers that probe by `tcp`, as when
    /// they were found.
    var isWithoutPeople: Bool { self != .approvalsForgotten && self != .capacitiesIgnored }
}
