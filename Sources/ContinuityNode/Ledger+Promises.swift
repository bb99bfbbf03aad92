package import ContinuityCore

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
}
