import FoundationEssentials
import Glibc

/// What a process uses while nothing happens.
struct ProcessUsage: Sendable {
    let residentBytes: Int64
    /// Thousandths of one core.
    let cpuPermille: Int64

    /// Watches a process for a while. `nil` when it is gone.
    static func measure(_ pid: Int32, over span: Duration) async throws -> ProcessUsage? {
        guard let before = ticks(pid) else { return nil }
        let start = ContinuousClock.now
        try await Task.sleep(for: span)
        guard let after = ticks(pid), let resident = residentBytes(pid) else { return nil }
        let elapsedMs = max(1, (ContinuousClock.now - start).milliseconds)
        let ticksPerSecond = Int64(sysconf(Int32(_SC_CLK_TCK)))
        return ProcessUsage(
            residentBytes: resident,
            cpuPermille: (after - before) * 1_000_000 / (ticksPerSecond * elapsedMs))
    }

    /// User and system time, fields 14 and 15 of `/proc/PID/stat`; the name before them may hold
    /// anything but ends with the last parenthesis.
    private static func ticks(_ pid: Int32) -> Int64? {
        guard let text = read("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int64(fields[11]), let system = Int64(fields[12]) else {
            return nil
        }
        return user + system
    }

    private static func residentBytes(_ pid: Int32) -> Int64? {
        guard let fields = read("/proc/\(pid)/statm")?.split(separator: " "), fields.count > 1,
            let pages = Int64(fields[1])
        else { return nil }
        return pages * Int64(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func read(_ path: String) -> String? {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}
