import CLinux
import ContinuityNode

extension BootInstant {
    static var now: BootInstant { BootInstant(milliseconds: continuity_boot_milliseconds()) }
}
