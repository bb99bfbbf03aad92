package import ContinuityCore
import Glibc

/// The only place in `serve` that reads clocks.
package enum SystemClock {
    package static func now() -> Moment {
        Moment(monotonicMs: milliseconds(CLOCK_BOOTTIME), utcMs: milliseconds(CLOCK_REALTIME))
    }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Fails only for a clock that the kernel does not have; both exist since Linux 2.6.39.
        precondition(clock_gettime(clock, &time) == 0, "the system has no clock \(clock)")
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
