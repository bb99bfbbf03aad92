/// A moment on the machine's boot clock (which nobody slews), which goes on while the machine is
/// suspended: a lease must run out during a suspension, not pause.
///
/// Comparable only within one boot of the kernel.
package struct BootInstant: Hashable, Comparable, Sendable {
    /// Since the machine started.
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package static func < (left: Self, right: Self) -> Bool {
        left.milliseconds < right.milliseconds
    }
    package static func + (left: Self, milliseconds: Int64) -> BootInstant {
        BootInstant(milliseconds: left.milliseconds + milliseconds)
    }
    /// Milliseconds from `right` to `left`.
    package static func - (left: Self, right: Self) -> Int64 {
        left.milliseconds - right.milliseconds
    }
}
