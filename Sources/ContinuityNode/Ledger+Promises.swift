package import ContinuityCore

/// Promises not to be promoted, and denials of them.
extension Ledger {
    /// The word of this node not to become primary while another node keeps its role.
    package struct Promise: Codable, Equatable, Sendable {
        package var to: NodeID
        package var epoch: Int64
        /// On the boot clock of the kernel boot that `kernelBootID` names.
        package var untilBootMs: Int64
        package var kernelBootID: String
        /// Its whole length: after a reboot the clock starts anew, and all of it is waited out.
        package var lengthMs: Int64
        package var untilUTCMs: Int64

        package init(
            to: NodeID, epoch: Int64, untilBootMs: Int64, kernelBootID: String, lengthMs: Int64,
            untilUTCMs: Int64
        ) {
            self.to = to
            self.epoch = epoch
            self.untilBootMs = untilBootMs
            self.kernelBootID = kernelBootID
            self.lengthMs = lengthMs
            self.untilUTCMs = untilUTCMs
        }

        private enum CodingKeys: String, CodingKey {
            case to, epoch
            case untilBootMs = "until_boot_ms"
            case kernelBootID = "kernel_boot_id"
            case lengthMs = "length_ms"
            case untilUTCMs = "until_utc_ms"
        }
    }

    /// No promise for this node until then, or until an orchestrator says that the run is over:
    /// another is about to become primary in its place, and counts on that it keeps its role by
    /// nobody's promise.
    package struct Denial: Codable, Equatable, Sendable {
        package static let longestMs: Int64 = 7 * 86_400_000

        package var to: NodeID
        package var untilBootMs: Int64
        package var kernelBootID: String
        package var lengthMs: Int64
        package var sinceBootMs: Int64 { untilBootMs - lengthMs }

        package init(to: NodeID, untilBootMs: Int64, kernelBootID: String, lengthMs: Int64) {
            self.to = to
            self.untilBootMs = untilBootMs
            self.kernelBootID = kernelBootID
            self.lengthMs = lengthMs
        }

        private enum CodingKeys: String, CodingKey {
            case to
            case untilBootMs = "until_boot_ms"
            case kernelBootID = "kernel_boot_id"
            case lengthMs = "length_ms"
        }
    }

    /// Why a promise is not given.
    package enum Refusal: Equatable, Sendable {
        /// The asker does not know the leadership that this node obeys.
        case leadership(String)
        case other(String)

        package var detail: String {
            switch self {
            case .leadership(let text), .other(let text): text
            }
        }
    }

    /// Gives or refuses a promise. The caller makes sure that no promotion is under way.
    ///
    /// - Parameters:
    ///   - isPrimary: the service is primary, or holds a lease to be one.
    ///   - kernelBootID: of this boot; the promise is kept on its clock.
    /// - Returns: why it is refused, or `nil` when it is given.
    package mutating func give(
        _ request: PromiseRequest, by nodeID: NodeID, isPrimary: Bool, kernelBootID: String,
        utcMs: Int64, at now: BootInstant
    ) -> Refusal? {
        if isPrimary { return .other("this node's own service is primary, or holds a lease") }
        if let reason = leadership.refusal(of: request.leadership) { return .leadership(reason) }
        if let denial, denial.to == request.nodeID, now.milliseconds < denial.untilBootMs {
            return .other("another node is about to become primary")
        }
        if let promise, promise.to != request.nodeID, now.milliseconds < promise.untilBootMs {
            return .other("a promise to \(promise.to) is still in force")
        }
        if let reason = membershipRefusal(of: request, by: nodeID) { return .other(reason) }
        if request.epoch == highestEpoch, secondaries?.contains(request.nodeID) == true {
            return .other("\(request.nodeID) is a secondary by the last word of an orchestrator")
        }
        let lengthMs = request.promiseMs
        let limitMs = promiseLimitMs ?? PromiseRequest.longestMs
        guard lengthMs <= limitMs else {
            return .other("it is to last \(lengthMs) ms, and no promise lasts more than \(limitMs)")
        }
        var kept = Promise(
            to: request.nodeID, epoch: request.epoch, untilBootMs: now.milliseconds + lengthMs,
            kernelBootID: kernelBootID, lengthMs: lengthMs, untilUTCMs: utcMs + lengthMs)
        if let promise, promise.to == request.nodeID {
            kept.untilBootMs = max(promise.untilBootMs, kept.untilBootMs)
        }
        promise = kept
        return nil
    }

    /// A node that was added while the asker heard no orchestrator can be promoted by voters that
    /// the asker does not count: its set of promises would exclude nobody.
    private func membershipRefusal(of request: PromiseRequest, by nodeID: NodeID) -> String? {
        guard let asked = request.voters else { return nil }
        guard asked.contains(nodeID) else {
            return "this node is not among the voters that \(request.nodeID) asks by"
        }
        guard let unknown = voters?.first(where: { !asked.contains($0) }) else { return nil }
        return "\(unknown) is a voter, and \(request.nodeID) does not know it"
    }

    /// Gives that node no promise from now on.
    package mutating func deny(_ new: Denial) { denial = new }

    /// An orchestrator says that no run counts on a denial any more, in answer to a report that was
    /// sent then. It does not know of one that came later.
    package mutating func endDenial(reportSentAt: BootInstant) {
        guard let denial, denial.sinceBootMs < reportSentAt.milliseconds else { return }
        self.denial = nil
    }

    /// Until when a promise to this node is in force; `nil` when none is.
    package func promiseEnd(to node: NodeID, at now: BootInstant) -> BootInstant? {
        guard let promise, promise.to == node, now.milliseconds < promise.untilBootMs else {
            return nil
        }
        return BootInstant(milliseconds: promise.untilBootMs)
    }

    /// Why this node may not become primary now, or `nil` when it may.
    package func promotionBlock(at now: BootInstant) -> String? {
        guard let promise, now.milliseconds < promise.untilBootMs else { return nil }
        return "promised to \(promise.to) not to be promoted for another "
            + SpanText.text(ms: promise.untilBootMs -| now.milliseconds)
            + " (until \(RFC3339.text(utcMs: promise.untilUTCMs)))"
    }

    /// Why this node takes no lease now, whoever grants it, or `nil` when it does.
    package func leaseBlock(at now: BootInstant) -> String? {
        if let reason = promotionBlock(at: now) { return reason }
        return fenced == nil ? nil : "the service is fenced, and no order has started it since"
    }

    /// Brings what was kept onto this boot's clock.
    ///
    /// Of an earlier boot, or of one that cannot be named, or of another clock, its full length is waited out. An end
    /// that is further away than the length cannot be true: the full length is the most there is.
    package mutating func rebase(kernelBootID: String, now: BootInstant) {
        let isOurs = clock == LeaseRecord.clock
        clock = LeaseRecord.clock
        if var old = promise {
            old.lengthMs = Self.length(old.lengthMs, atMost: PromiseRequest.longestMs)
            old.untilBootMs = Self.end(
                old.untilBootMs, old.lengthMs, isOurs ? old.kernelBootID : "", kernelBootID, now)
            old.kernelBootID = kernelBootID
            promise = old
        }
        if var old = denial {
            old.lengthMs = Self.length(old.lengthMs, atMost: Denial.longestMs)
            old.untilBootMs = Self.end(
                old.untilBootMs, old.lengthMs, isOurs ? old.kernelBootID : "", kernelBootID, now)
            old.kernelBootID = kernelBootID
            denial = old
        }
    }

    private static func length(_ lengthMs: Int64, atMost limitMs: Int64) -> Int64 {
        (1...limitMs).contains(lengthMs) ? lengthMs : limitMs
    }

    private static func end(
        _ untilMs: Int64, _ lengthMs: Int64, _ boot: String, _ thisBoot: String, _ now: BootInstant
    ) -> Int64 {
        let latest = now.milliseconds + lengthMs
        return KernelBoot.isSame(boot, thisBoot) ? min(untilMs, latest) : latest
    }
}

/// Which boot of the kernel an instant belongs to.
package enum KernelBoot {
    package static let unknown = "unknown"

    /// One that cannot be named is the same as no other, not even as itself.
    package static func isSame(_ one: String, _ other: String) -> Bool {
        !one.isEmpty && one != unknown && one == other
    }
}
