import ContinuityCore
import Testing

@Suite struct VerificationTests {
    private func verify(
        _ change: (inout [NodeID: ServiceReport]) -> Void, failed: [String] = []
    ) -> Verification {
        var readings: [NodeID: ServiceReport] = [
            "node-1": ServiceReport(state: .running, role: .secondary, streaming: true),
            "node-2": ServiceReport(state: .running, role: .primary),
            "node-3": ServiceReport(state: .running, role: .secondary, streaming: true),
        ]
        change(&readings)
        return Verification.verify(
            VerificationInput(
                cluster: sampleCluster(), policy: samplePolicy(), expectedPrimary: "node-2",
                readings: readings, failedOperations: failed))
    }

    @Test func everythingInOrderIsAHundred() {
        let verification = verify { _ in }
        #expect(verification.confidence == 100)
        #expect(verification.band == .veryHigh)
        #expect(verification.passed)
    }

    @Test func deductionsHaveNamesAndBands() {
        #expect(verify({ $0["node-1"]?.state = .stopped }).confidence == 95)
        let failed = verify({ $0["node-1"]?.state = .stopped }, failed: ["dns at dns_flip"])
        #expect(failed.confidence == 75)
        #expect(failed.band == .high)
        let stale = verify {
            $0["node-1"]?.streaming = false
            $0["node-3"]?.streaming = false
        }
        #expect(stale.deductions.map(\.check) == [.warning, .warning, .freshness])
    }

    @Test func withoutQuorumOrConsistencyNothingIsAboveLow() {
        let twoPrimaries = verify { $0["node-1"]?.role = .primary }
        #expect(twoPrimaries.band == .low)
        #expect(!twoPrimaries.passed)
        let alone = verify {
            $0["node-1"] = nil
            $0["node-3"] = nil
        }
        #expect(alone.band == .low)
        #expect(!alone.passed)
    }
}
