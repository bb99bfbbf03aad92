import ContinuityCore
import Testing

/// Values from other processes: bounded where they enter, and no arithmetic on them traps.
@Suite struct ForeignValueTests {
    private static let extremes: [Int64] = [
        .min, .min + 1, -1, 0, 1, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, .max - 1, .max,
    ]

    @Test func arithmeticSaturates() {
        #expect(Int64.max +| 1 == .max)
        #expect(Int64.min +| -1 == .min)
        #expect(Int64.min -| 1 == .min)
        #expect(0 -| Int64.min == .max)
        #expect(Int64.max -| -1 == .max)
        #expect(Int64.max *| 2 == .max)
        #expect(Int64.max *| -2 == .min)
        #expect(Int64.min *| -1 == .max)
        for left in Self.extremes {
            for right in Self.extremes {
                let (sum, overflow) = left.addingReportingOverflow(right)
                if !overflow { #expect(left +| right == sum) }
                let (difference, isOver) = left.subtractingReportingOverflow(right)
                if !isOver { #expect(left -| right == difference) }
            }
        }
    }

    /// The report that ended the server for everybody, and every other number of a report; with
    /// orders after it.
    @Test func noReportEndsTheOrchestrator() {
        for number in Self.extremes {
            var world = TestWorld()
            world.settle()
            world.step(.report(Self.report(number, sequence: number)))
            world.step(.report(Self.report(number, sequence: world.sequence + 10)))
            world.services["node-1"]?.state = .stopped
            world.run(forMs: 10_000)
            #expect(world.state.term >= 1, "\(number)")
            #expect(!world.commands.isEmpty, "\(number)")
            for command in world.commands {
                #expect(command.fault == nil, "\(number): \(command.fault ?? "")")
            }
        }
    }

    private static func report(_ number: Int64, sequence: Int64) -> NodeReport {
        NodeReport(
            clusterID: "demo", nodeID: "node-2", bootID: "x", sequence: sequence,
            highestEpoch: number,
            service: ServiceReport(
                state: .running, role: .secondary, positionBytes: number, lagMs: number,
                streaming: true),
            peers: ["node-1": .reachable, "node-3": .reachable], clockMs: number,
            witness: WitnessState(seq: number, hash: "x"))
    }

    @Test func noResultEndsTheOrchestrator() {
        for number in Self.extremes {
            var result = CommandResult(key: "k", outcome: .succeeded, durationMs: number)
            result.service = ServiceReport(
                state: .running, role: .primary, positionBytes: number, lagMs: number)
            let bounded = result.bounded
            #expect((0...WireBounds.durationMsMax).contains(bounded.durationMs))
            #expect((0...WireBounds.integerMax).contains(bounded.service?.lagMs ?? -1))
            #expect((0...WireBounds.integerMax).contains(bounded.service?.positionBytes ?? -1))
        }
    }

    @Test func anOrdersNumbersAreChecked() {
        func order(_ timeoutMs: Int64, _ leaseMs: Int64, epoch: Int64 = 1) -> AgentCommand {
            AgentCommand(
                key: "k", clusterID: "demo", nodeID: "node-1", epoch: epoch, name: .promote,
                leaseMs: leaseMs, timeoutMs: timeoutMs)
        }
        #expect(order(1000, 3000).fault == nil)
        #expect(order(.max, 3000).fault?.contains("timeout_ms") == true)
        #expect(order(-1, 3000).fault?.contains("timeout_ms") == true)
        #expect(order(1000, .max).fault?.contains("lease_ms") == true)
        #expect(order(1000, 3000, epoch: .max).fault?.contains("epoch") == true)
        func reply(_ leaseMs: Int64, _ intervalMs: Int64) -> ReportReply {
            ReportReply(
                epoch: 1, intervalMs: intervalMs, jitterPermille: 100, leaseMs: leaseMs, peers: [])
        }
        #expect(reply(3000, 1000).fault == nil)
        #expect(reply(.max, 1000).fault?.contains("lease_ms") == true)
        #expect(reply(3000, 0).fault?.contains("interval_ms") == true)
    }

    @Test func textsAreCutToOneShortLine() {
        let text = WireBounds.text("a\n\u{1b}[31m\u{202e}b", bytes: 100)
        #expect(text == "a  [31m b")
        let long = WireBounds.text(String(repeating: "ä", count: 1000), bytes: 100)
        #expect(long.utf8.count <= 100 && long.hasSuffix("…"))
        #expect(WireBounds.text("as it is", bytes: 8) == "as it is")
    }

    /// A node that changes its mind with each report: its entries end, at its worse state.
    @Test func aFlappingNodeDoesNotFillTheJournal() {
        var world = TestWorld()
        world.settle()
        let before = world.journal.count
        for number in 0..<200 {
            world.services["node-3"]?.role = number % 2 == 0 ? .primary : .secondary
            world.heartbeat("node-3")
            world.nowMs += 10
        }
        #expect(world.journal.count - before < 80, "\(world.journal.count - before)")
        #expect(world.state.status(of: "node-3") == .degraded)
        // Once it is steady it comes back.
        world.services["node-3"]?.role = .secondary
        world.run(forMs: 90_000)
        #expect(world.state.status(of: "node-3") == .healthy)
    }
}
