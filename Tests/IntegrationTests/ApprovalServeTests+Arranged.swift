import ContinuityCore
import Foundation
import Testing

extension ApprovalServeTests {
    /// Approved by day, moved by night: what was agreed to is the move, not the plan of that hour.
    @Test func anArrangedFailoverIsApprovedInAdvanceAndGoesToTheBestNodeThen() async throws {
        try await withServer { fixture, agents in
            let ada = try await access(fixture, "ada", "operator")
            let bob = try await access(fixture, "bob", "operator")
            // It stays away for as long as nobody can bring it back.
            agents.refuses(.rejoin, true)
            agents.set("node-2", .stopped)
            func plan() async throws -> String {
                let status = try await fixture.send("GET", "status").json
                let nodes = status["clusters"]?.array?.first?["nodes"]?.array ?? []
                return nodes.first { $0["node_id"]?.string == "node-2" }?["status"]?.string ?? ""
            }
            _ = try await eventually("node-2 has failed") {
                try await plan() == "failed" ? true : nil
            }
            let at = Date(timeIntervalSinceNow: 25).formatted(
                Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            let arranged = try await Programs.run(
                [
                    "failover", "--cluster", "demo", "--at", at, "--window", "2m", "--reason",
                    "new disk",
                ] + ada)
            #expect(arranged.exitCode == 0, "\(arranged.errors)")
            let id = try approvalID(arranged.output)
            #expect(arranged.output.contains("continuity approve \(id)"), "\(arranged.output)")
            let waiting = try await Programs.run(["status"] + ada)
            #expect(waiting.output.contains("\(id) waits for 1"), "\(waiting.output)")
            let approve = ["approve", id, "--cluster", "demo", "--reason", "agreed"]
            #expect(try await Programs.run(approve + ada).errors.contains("same-person"))
            let given = try await Programs.run(approve + bob)
            #expect(given.exitCode == 0, "\(given.errors)")
            let approved = try await Programs.run(["status"] + ada)
            #expect(
                approved.output.contains("\(id) is approved in advance by bob")
                    || approved.output.contains("LAST ARRANGED"), "\(approved.output)")
            // It comes back before the move is due, and is the best again.
            agents.refuses(.rejoin, false)
            _ = try await eventually("node-2 is well again") {
                try await plan() == "healthy" ? true : nil
            }
            let run = try await eventually("the move begins", within: .seconds(60)) {
                try await fixture.entries().first { $0["kind"]?.string == "run_requested" }
            }
            #expect(run["body"]?["approval_id"]?.string == id)
            #expect(run["body"]?["plan"]?["failover_target_id"]?.string == "node-2")
            _ = try await eventually("the run is committed") {
                try await fixture.entries().contains {
                    $0["kind"]?.string == "run_finished"
                        && $0["body"]?["state"]?.string == "committed"
                } ? true : nil
            }
            let status = try await Programs.run(["status"] + ada)
            #expect(
                status.output.contains(
                    "LAST ARRANGED failover from node-1 to the best, started at"),
                "\(status.output)")
            #expect(status.output.contains("node-1 to node-2; approved in advance with"))
            try await expectClaim(of: fixture, run)
        }
    }

    /// What an auditor finds in the pack of the run.
    private func expectClaim(of fixture: ServeFixture, _ started: JSONValue) async throws {
        let run = try #require(started["body"]?["run_id"]?.string)
        _ = try await eventually("the run's end is signed") {
            try await fixture.entries().last?["kind"]?.string == "checkpoint_signed" ? true : nil
        }
        let pack = fixture.folder.path + "/arranged-pack"
        let key = fixture.folder.path + "/audit.key"
        let made = try await Programs.run(
            "audit", "export", run, "--journal", fixture.journalFile, "--key", key, "--output",
            pack)
        #expect(made.exitCode == 0, "\(made.errors)")
        let text = try String(contentsOfFile: pack + "/L20-verification.json", encoding: .utf8)
        let claims = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))["claims"]
        let claim = claims?.array?.first {
            $0["claim"]?.string == "the plan that ran is within what was approved in advance"
        }
        #expect(claim?["holds"]?.bool == true, "\(text)")
        let checked = try await Programs.run("audit", "verify", pack, "--public-key", key + ".pub")
        #expect(checked.exitCode == 0, "\(checked.errors)")
    }
}
