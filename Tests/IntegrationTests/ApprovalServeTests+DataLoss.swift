import ContinuityCore
import Foundation
import Testing

extension ApprovalServeTests {
    @Test func aLossIsAcceptedByItsFiguresAndOnlyWhileItIsNotGreater() async throws {
        try await withServer { fixture, agents in
            let ada = try await access(fixture, "ada", "operator")
            let bob = try await access(fixture, "bob", "operator")
            agents.set("node-1", lagMs: 0, positionBytes: 1_000)
            for node in ["node-2", "node-3"] as [NodeID] {
                agents.set(node, lagMs: 60_000, positionBytes: 400)
            }
            let ask = ["failover", "--cluster", "demo", "--reason", "disk smells"]
            _ = try await eventually("nobody is a target without it") { () -> Bool? in
                let asked = try await Programs.run(ask + ada)
                if asked.exitCode == 0 {
                    // The lag was not reported yet.
                    let id = try approvalID(asked.output)
                    _ = try await Programs.run(
                        ["refuse", id, "--cluster", "demo", "--reason", "early"] + ada)
                    return nil
                }
                return asked.errors.contains("rpo") || asked.errors.contains("lag") ? true : nil
            }
            let asked = try await Programs.run(ask + ["--accept-data-loss"] + ada)
            let id = try approvalID(asked.output)
            #expect(
                asked.output.contains("--accept-loss-ms 60000 --accept-loss-bytes 600 "),
                "it names the loss: \(asked.output)")

            func answer(_ more: String...) async throws -> Programs.Result {
                try await Programs.run(
                    ["approve", id, "--cluster", "demo", "--reason", "better than down"] + more
                        + bob)
            }
            // The plan alone is one question; the loss is another, and has to be named as it is.
            let plan = try await answer()
            #expect(plan.exitCode == 0 && !plan.output.contains("has begun"), "\(plan.output)")
            let less = try await answer("--accept-loss-ms", "60000", "--accept-loss-bytes", "599")
            #expect(
                less.exitCode == 3 && less.errors.contains("data-loss-greater"), "\(less.errors)")
            #expect(agents.orders.isEmpty)

            // It grows while people talk: what was said of it before is not enough now.
            agents.set("node-1", lagMs: 0, positionBytes: 5_000)
            _ = try await eventually("it has grown") { () -> Bool? in
                let late = try await answer("--accept-loss-ms", "60000", "--accept-loss-bytes", "5")
                return late.errors.contains("4600 bytes") ? true : nil
            }
            let late = try await answer("--accept-loss-ms", "60000", "--accept-loss-bytes", "600")
            #expect(
                late.exitCode == 3 && late.errors.contains("data-loss-greater"), "\(late.errors)")
            #expect(agents.orders.isEmpty)

            let whole = try await answer(
                "--accept-loss-ms", "60000", "--accept-loss-bytes", "4600")
            #expect(
                whole.exitCode == 0 && whole.output.contains("has begun"),
                "\(whole.output)\(whole.errors)")
            _ = try await eventually("a node behind the primary is promoted") {
                agents.orders.contains { $0.name == .promote } ? true : nil
            }
            let entries = try await fixture.entries()
            let run = try #require(entries.first { $0["kind"]?.string == "run_requested" })
            #expect(run["body"]?["accepted_loss"]?["bytes"]?.int == 4_600)
            #expect(run["body"]?["accepted_loss"]?["lag_ms"]?.int == 60_000)
            let given = entries.filter { $0["kind"]?.string == "approval_given" }
            #expect(given.map { $0["body"]?["question"]?.string } == ["move", "data_loss"])
            #expect(given.allSatisfy { $0["actor"]?.string == "bob" })
            #expect(given.last?["body"]?["accepted"]?["bytes"]?.int == 4_600)
        }
    }
}
