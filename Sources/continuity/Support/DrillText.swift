import ContinuityCore

/// A drill's report for people.
enum DrillText {
    static func plain(_ report: DrillReport) -> String {
        var table = Table("STAGE", "WHAT", "NODE", "OUTCOME", "TOOK", "PREDICTED", "WOULD DO")
        for row in rows(report) {
            // The JSON has it whole.
            table.add(cells: row.map { $0.count > 90 ? $0.prefix(89) + "…" : $0 })
        }
        return ([heading(report)] + facts(report) + ["", table.text]).joined(separator: "\n")
    }

    static func markdown(_ report: DrillReport) -> String {
        func line(_ cells: [String]) -> String {
            "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
        }
        let header = ["stage", "what", "node", "outcome", "took", "predicted", "would do"]
        return
            (["# Drill \(report.drillID)", "", heading(report), ""]
            + facts(report).map { "- \($0)" }
            + ["", line(header), line(header.map { _ in "---" })] + rows(report).map(line))
            .joined(separator: "\n")
    }

    private static func heading(_ report: DrillReport) -> String {
        "\(report.scenario.rawValue) of \(report.clusterID), \(report.fromNodeID) to "
            + "\(report.toNodeID): \(report.state.rawValue)"
            + (report.detail.isEmpty ? "" : ", \(report.detail)")
    }

    private static func facts(_ report: DrillReport) -> [String] {
        var facts = [
            "drill \(report.drillID), \(report.planID), policy \(report.policyID), by "
                + "\(report.requestedBy) at \(timestamp(report.startedAtMs)), "
                + "took \(report.durationMs) ms",
            "predicted RTO \(report.predictedRTOMs) ms (detection \(report.detectionMs) ms), "
                + "promised \(report.rtoMs) ms: \(report.meetsRTO ? "met" : "MISSED")",
        ]
        if let confidence = report.confidence { facts.append("confidence \(confidence)") }
        if let hold = report.heldBy {
            let held =
                report.scenario == .switchover
                ? "would be refused now" : "would not move by itself now"
            facts.append("\(held): \(hold.rule.rawValue), \(hold.evidence)")
        }
        facts += report.caveats ?? []
        facts.append("nothing outside was changed")
        return facts
    }

    /// One row for each stage, and one for each step below it.
    private static func rows(_ report: DrillReport) -> [[String]] {
        report.stages.flatMap { stage -> [[String]] in
            let outcome =
                stage.reached ? (stage.steps.isEmpty ? "nothing to do" : "") : "not reached"
            let own = [
                stage.stage.rawValue, "", "", outcome, "\(stage.tookMs) ms",
                "\(stage.predictedMs) ms (\(stage.basis.rawValue))", "",
            ]
            return [own]
                + stage.steps.map { step in
                    let detail = step.detail.isEmpty ? "" : ": \(step.detail)"
                    return [
                        "", "\(step.what) \(step.name)", step.nodeID?.rawValue ?? "",
                        step.outcome + detail, "\(step.tookMs) ms", "",
                        step.wouldDo.map(call).joined(separator: "; "),
                    ]
                }
        }
    }

    private static func call(_ effect: JSONValue) -> String {
        let arguments = effect["args"].map {
            String(decoding: CanonicalJSON.bytes($0), as: UTF8.self)
        }
        return "\(effect["call"]?.string ?? "?") \(arguments ?? "")"
    }
}
