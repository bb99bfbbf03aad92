/// What the demo is asked to do.
package struct DemoOptions: Sendable {
    package enum Scenario: String, CaseIterable, Sendable {
        /// The primary's whole PostgreSQL is killed; its agent lives.
        case crash
        /// The primary's agent and PostgreSQL are killed together.
        case nodeLoss = "node-loss"
        /// The primary hands over on request.
        case switchover
        /// Both drills, each of which must change nothing.
        case drill
        /// The floor: PostgreSQL is killed and a standby promoted by hand, without continuity.
        case byHand = "by-hand"
    }

    /// The detection profile of the policy; `nil` stands for `standard`.
    package enum Profile: String, CaseIterable, Sendable {
        case lan
        case standard
    }

    package static let maximumRepetitions = 1000

    package var scenario: Scenario
    /// How often the fault happens, on the same cluster; 1 to `maximumRepetitions`.
    package var repetitions: Int
    /// One JSON document on standard output, and nothing else.
    package var json: Bool
    /// Leave the folder with configuration, logs and journal.
    package var keep: Bool
    package var profile: Profile?
    /// The kind of journal entry at which `serve` is killed, and started again, in each run.
    package var killServeAt: String?

    package init(
        scenario: Scenario = .crash, repetitions: Int = 1, json: Bool = false, keep: Bool = false,
        profile: Profile? = nil, killServeAt: String? = nil
    ) {
        self.scenario = scenario
        self.repetitions = repetitions
        self.json = json
        self.keep = keep
        self.profile = profile
        self.killServeAt = killServeAt
    }
}
