/// The one `now` that comes with each input.
package struct Moment: Hashable, Sendable {
    /// Milliseconds of a clock that never jumps and goes on while the machine sleeps: for leases,
    /// windows and deadlines.
    package let monotonicMs: Int64
    /// UTC milliseconds since 1970: for records and calendars only.
    package let utcMs: Int64

    package init(monotonicMs: Int64, utcMs: Int64) {
        self.monotonicMs = monotonicMs
        self.utcMs = utcMs
    }
}
