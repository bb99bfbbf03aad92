import CLinux
package import ContinuityCore
import Glibc

/// The only place in `serve` that reads clocks.
package enum SystemClock {
    /// Durations by the clock that nobody slews, as on the nodes: what a lease lasts is counted on
    /// both sides, and time correction would use up the margin between them.
    package static func now() -> Moment {
        Moment(
            monotonicMs: continuity_boot_milliseconds(), utcMs: milliseconds(CLOCK_REALTIME))
    }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Fails only for a clock that the kernel does not have; it exists in each.
        precondition(clock_gettime(clock, &time) == 0, "the system has no clock \(clock)")
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
