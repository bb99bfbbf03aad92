import ContinuityCore

/// L20: what the run's result claims, held against its sources.
struct RunClaim: Encodable {
    var claim: String
    var stated: String
    var found: String
    var sources: [Int64]
    var holds: Bool

    private init(_ claim: String, stated: String, found: String, sources: [Int64], holds: Bool) {
        self.claim = claim
        self.stated = stated
        self.found = found
        self.sources = sources
        self.holds = holds
    }

    private init(_ claim: String, stated: String, found: String, sources: [Int64]) {
        self.init(
            claim, stated: stated, found: found, sources: sources, holds: stated == found)
    }

    static func all(of story: RunStory, digest: ContentDigest) -> [RunClaim] {
        let plan = story.requested.body.plan
        let end = story.finished.body
        var claims = [
            RunClaim(
                "the plan is the one that its id names", stated: plan.planID.rawValue,
                found: plan.computedID(digest: digest).rawValue, sources: [story.requested.seq]),
            RunClaim(
                "the predicted time is the sum over the plan's actions",
                stated: "\(plan.estimatedTotalMs)",
                found: "\(plan.actions.reduce(0) { $0 + $1.estimatedMs })",
                sources: [story.requested.seq]),
            RunClaim(
                "the duration is the time from request to end", stated: "\(end.durationMs)",
                found: "\(max(0, story.finished.atMs - story.requested.atMs))",
                sources: [story.requested.seq, story.finished.seq],
                holds: abs(end.durationMs - (story.finished.atMs - story.requested.atMs)) <= 2),
            RunClaim(
                "the bottleneck is the longest phase", stated: end.bottleneck?.rawValue ?? "none",
                found: end.phasesMs.min { ($1.value, $0.key) < ($0.value, $1.key) }?.key ?? "none",
                sources: [story.finished.seq]),
        ]
        claims += results(of: story)
        claims += move(of: story)
        claims += confidence(of: story)
        claims += approval(of: story)
        return claims
    }

    private static func results(of story: RunStory) -> [RunClaim] {
        let silent = story.intended.filter { story.results[$0.body.key] == nil }
        let undigested = story.hooks.filter { $0.resultSeq != nil && $0.scriptSHA256 == nil }
        let changed = story.hooks.filter { hook in
            guard let before = hook.digests?.script, let ran = hook.scriptSHA256, !ran.isEmpty
            else { return false }
            return before != ran
        }
        return [
            RunClaim(
                "every operation that was begun has a result", stated: "0 without",
                found: "\(silent.count) without", sources: silent.map(\.seq)),
            RunClaim(
                "every hook call that ended names the script that ran", stated: "0 without",
                found: "\(undigested.count) without", sources: undigested.map(\.seq)),
            RunClaim(
                "the scripts that ran are those that were bound", stated: "0 others",
                found: "\(changed.count) others", sources: changed.map(\.seq)),
        ]
    }

    private static func move(of story: RunStory) -> [RunClaim] {
        let plan = story.requested.body.plan
        let promotion = story.intended.first { $0.body.command == .promote }
        var claims: [RunClaim] = []
        if let promotion {
            let fenced = story.fence.map { $0.seq < promotion.seq } ?? false
            claims.append(
                RunClaim(
                    "the old primary was proven fenced before another was promoted",
                    stated: "fence before entry \(promotion.seq)",
                    found: story.fence.map { "fence at entry \($0.seq)" } ?? "no fence",
                    sources: [story.fence?.seq, promotion.seq].compactMap(\.self), holds: fenced))
        }
        if story.finished.body.state == .committed, plan.kind != .restart {
            claims.append(
                RunClaim(
                    "the new primary is the plan's target",
                    stated: plan.failoverTargetID.rawValue,
                    found: story.change?.body.to.rawValue ?? "none",
                    sources: [story.requested.seq, story.change?.seq].compactMap(\.self)))
        }
        return claims
    }

    private static func approval(of story: RunStory) -> [RunClaim] {
        guard let id = story.requested.body.approvalID else { return [] }
        let asked = story.asked?.body
        let given = story.consents.filter { $0.body.question == .move }
        let others = given.filter { consent in
            asked.map { consent.body.consent.by.couldBeOne(with: $0.requestedBy).isEmpty } ?? false
        }
        let people = Set(others.map(\.body.consent.by.person)).count
        let sources = [story.asked?.seq, story.requested.seq].compactMap(\.self)
        let ran = story.requested.body.plan
        let plan: RunClaim
        if let asked, asked.kind == .arranged {
            func text(_ plan: Plan, _ target: String) -> String {
                "\(plan.kind.rawValue) from \(plan.primaryNodeID) to \(target)"
            }
            plan = RunClaim(
                "the plan that ran is within what was approved in advance",
                stated: text(ran, ran.failoverTargetID.rawValue),
                found: text(asked.plan, asked.targetNodeID?.rawValue ?? "the best"),
                sources: sources, holds: asked.approvalID == id && asked.covers(ran))
        } else {
            plan = RunClaim(
                "the plan that ran is the one that was approved", stated: ran.planID.rawValue,
                found: asked?.plan.planID.rawValue ?? "none", sources: sources,
                holds: asked?.approvalID == id && asked?.plan == ran)
        }
        return [
            plan,
            RunClaim(
                "as many others approved it as were needed",
                stated: "at least \(asked?.needed ?? 1)", found: "\(people)",
                sources: given.map(\.seq), holds: people >= asked?.needed ?? 1),
        ]
    }

    private static func confidence(of story: RunStory) -> [RunClaim] {
        guard let verified = story.verified else { return [] }
        let stated = verified.body.verification
        let again = Verification(deductions: stated.deductions)
        return [
            RunClaim(
                "the confidence follows from its deductions", stated: "\(stated.confidence)",
                found: "\(again.confidence)", sources: [verified.seq]),
            RunClaim(
                "the band follows from the confidence", stated: stated.band.rawValue,
                found: again.band.rawValue, sources: [verified.seq]),
            RunClaim(
                "each deduction has the points of its check", stated: "0 others",
                found: "\(stated.deductions.filter { $0.points != $0.check.points }.count) others",
                sources: [verified.seq]),
        ]
    }
}
