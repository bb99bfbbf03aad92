import ContinuityCore
import Foundation

/// The pack's own page, for people.
enum PackReadme {
    static func text(_ story: RunStory, _ claims: [RunClaim]) -> String {
        let run = story.requested.body
        let end = story.finished.body
        let plan = run.plan
        let proof = story.fence.map {
            "\($0.body.proof.rawValue) (\($0.body.detail)) [entry \($0.seq)]"
        }
        var text = """
            # \(cell("\(run.runID)")): \(run.kind.rawValue) of \(cell(story.clusterID?.rawValue ?? "-")), \
            \(end.state.rawValue)

            | | | source |
            |---|---|---|
            | requested | \(time(story.requested.atMs)) by \(cell(run.requestedBy)) | entry \(story.requested.seq) |
            | why | \(cell(run.reason.isEmpty ? run.trigger.rawValue : run.reason)); \(cell(run.evidence)) | entry \(story.requested.seq) |
            | plan | \(cell("\(plan.planID): \(plan.primaryNodeID) to \(plan.failoverTargetID)")) | entry \(story.requested.seq) |
            | fence | \(cell(proof ?? "none")) | \(source(story.fence?.seq)) |
            | new primary | \(cell(story.change.map { "\($0.body.to), term \($0.body.term)" } ?? "none")) | \(source(story.change?.seq)) |
            | ended | \(time(story.finished.atMs)), \(end.state.rawValue)\(end.reason.isEmpty ? "" : ": \(cell(end.reason))") | entry \(story.finished.seq) |
            | duration | \(end.durationMs) ms; promised \(end.rtoMs) ms | entry \(story.finished.seq) |
            | policy | \(cell(story.admitted.map { "\($0.body.policyID)" } ?? "not admitted")) | \(source(story.admitted?.seq)) |

            Check this folder: `continuity audit verify FOLDER --public-key FILE`. It needs no server.

            ## Plan

            | action | node | predicted |
            |---|---|---|

            """
        for action in plan.actions {
            text +=
                "| \(action.action.rawValue) | \(cell("\(action.nodeID)")) | \(action.estimatedMs) ms |\n"
        }
        text += "\n## Phases\n\n| phase | took |\n|---|---|\n"
        for (stage, ms) in end.phasesMs.sorted(by: { $0.key < $1.key }) {
            text += "| \(stage) | \(ms) ms |\n"
        }
        return text + hooks(story) + approvals(story) + layers(story, claims)
    }

    private static func hooks(_ story: RunStory) -> String {
        var text = "\n## Hook calls\n\n"
        guard !story.hooks.isEmpty else { return text + "None.\n" }
        text += "| entry | pack | stage | ended | took | script | input |\n"
        text += "|---|---|---|---|---|---|---|\n"
        for hook in story.hooks {
            text +=
                "| \(hook.seq) | \(cell(hook.pack)) | \(cell("\(hook.stage)")) | \(cell(hook.status ?? "unknown")) | "
            text += "\(hook.durationMs.map { "\($0) ms" } ?? "-") | "
            text += "\(short(hook.scriptSHA256)) | \(short(hook.inputSHA256)) |\n"
            for effect in hook.effects {
                text += "| \(effect.seq) | | | effect: \(cell(effect.call)) | | | |\n"
            }
        }
        return text
    }

    /// From where and why, and of which plan.
    private static func details(_ body: JSONValue?) -> String {
        let asked = body?["approval"]
        let by = asked?["requested_by"] ?? body?["consent"]?["by"] ?? body?["by"]
        let reason = asked?["reason"] ?? body?["consent"]?["reason"] ?? body?["reason"]
        let parts = [
            asked?["plan"]?["plan_id"]?.string.map { "plan \($0)" },
            body?["outcome"]?.string, by?["address"]?.string.map { "from \($0)" },
            reason?.string.flatMap { $0.isEmpty ? nil : "\"\($0)\"" },
        ].compactMap(\.self)
        return parts.isEmpty ? "" : ": " + parts.map(cell).joined(separator: ", ")
    }

    private static func approvals(_ story: RunStory) -> String {
        var text = "\n## Approvals\n\n"
        guard !story.approvals.isEmpty else { return text + "The journal has none for this run.\n" }
        for approval in story.approvals {
            text +=
                "- \(cell(approval.kind)) by \(cell(approval.link.actor)) [entry \(approval.seq)]"
            text += details(approval.body) + "\n"
        }
        return text
    }

    private static func layers(_ story: RunStory, _ claims: [RunClaim]) -> String {
        var text = "\n## L19 citations\n\n| figure | value | source |\n|---|---|---|\n"
        for figure in story.figures {
            let value = String(decoding: CanonicalJSON.bytes(figure.value), as: UTF8.self)
            text +=
                "| \(cell(figure.name)) | \(cell(value)) | entry \(figure.seq) `\(figure.pointer)` |\n"
        }
        text += "\n## L20 verification of results against sources\n\n"
        text += "| claim | stated | found | entries | holds |\n|---|---|---|---|---|\n"
        for claim in claims {
            let sources = claim.sources.map(String.init).joined(separator: ", ")
            text +=
                "| \(cell(claim.claim)) | \(cell(claim.stated)) | \(cell(claim.found)) | \(sources) | "
            text += claim.holds ? "yes |\n" : "**no** |\n"
        }
        text += "\n## L21 tamper-evident trail\n\n"
        text += "`manifest.json` has the SHA-256 of every file, `manifest.sig` its Ed25519 "
        text += "signature. `entries.jsonl` is a piece of the journal's hash chain; entries that "
        text += "are not about the run stand there with their digest alone.\n\n"
        if let checkpoint = story.checkpoint {
            text += "The journal's checkpoint of entry \(checkpoint.seq) is signed with the key "
            text += "\(checkpoint.keyID).\n"
        } else {
            text += "No checkpoint of the journal stands after the run: only the manifest's "
            text += "signature vouches for the chain.\n"
        }
        if !story.redacted.isEmpty {
            let list = story.redacted.map(String.init).joined(separator: ", ")
            text += "\nParts of entries \(list) were redacted.\n"
        }
        text += "\n## L22 confidence\n\n"
        guard let verified = story.verified else {
            return text + "The run was not verified, so there is no score.\n"
        }
        let found = verified.body.verification
        text += "\(found.confidence) of 100, \(found.band.rawValue) [entry \(verified.seq)]\n"
        for deduction in found.deductions {
            text +=
                "\n- \(deduction.points) off, \(deduction.check.rawValue): \(cell(deduction.evidence))"
        }
        return text + "\n"
    }

    private static func source(_ seq: Int64?) -> String { seq.map { "entry \($0)" } ?? "-" }

    private static func short(_ digest: String?) -> String {
        digest.map { $0.isEmpty ? "-" : "`\($0.prefix(12))…`" } ?? "-"
    }

    /// What people wrote must not break the table, or pretend to be a part of it.
    private static func cell(_ text: String) -> String {
        SafeText.markdown(text)
    }

    private static func time(_ utcMs: Int64) -> String {
        let seconds = Date(timeIntervalSince1970: Double(utcMs / 1000))
        let text = seconds.formatted(.iso8601)
        let ms = String(utcMs % 1000)
        return text.dropLast() + "." + String(repeating: "0", count: 3 - ms.count) + ms + "Z"
    }
}
