import CLinux

/// A moment on the machine's boot clock (`CLOCK_BOOTTIME`), which goes on while the machine is
/// suspended: a lease must run out during a suspension, not pause.
///
/// Comparable only within one boot of the kernel.
struct BootInstant: Hashable, Comparable, Sendable {
    /// Since the machine started.
    var milliseconds: Int64

    static var now: BootInstant { BootInstant(milliseconds: continuity_boot_milliseconds()) }

    static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
    static func + (left: Self, milliseconds: Int64) -> BootInstant {
        BootInstant(milliseconds: left.milliseconds + milliseconds)
    }
    /// Milliseconds from `right` to `left`.
    static func - (left: Self, right: Self) -> Int64 { left.milliseconds - right.milliseconds }
}

extension Duration {
    /// Rounded towards zero.
    var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
