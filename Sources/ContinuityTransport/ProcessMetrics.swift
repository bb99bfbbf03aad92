import Foundation
import Glibc

extension PrometheusText {
    /// What every Prometheus client library says of its process, under the names that they all use.
    package mutating func addProcess() {
        add(
            "process_cpu_seconds_total", .counter, "Processor time used, user and system.",
            Self.cpuSeconds())
        if let stat = Self.stat(), stat.count > 21 {
            // proc(5), counted from the field after the program's name.
            if let pages = Double(stat[21]) {
                add(
                    "process_resident_memory_bytes", .gauge, "Memory in use.",
                    pages * Double(sysconf(Int32(_SC_PAGESIZE))))
            }
            if let ticks = Double(stat[19]), let boot = Self.bootTime() {
                add(
                    "process_start_time_seconds", .gauge, "When it started, since 1970.",
                    boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK))))
            }
        }
        if let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            add("process_open_fds", .gauge, "Open file descriptors.", Double(open.count))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(7), &limit) == 0 {
            add(
                "process_max_fds", .gauge, "File descriptors that it may open.",
                Double(limit.rlim_cur))
        }
    }

    private static func cpuSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func stat() -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        return text[text.index(after: end)...].split(whereSeparator: \.isWhitespace)
    }

    private static func bootTime() -> Double? {
        guard let text = try? String(contentsOfFile: "/proc/stat", encoding: .utf8) else {
            return nil
        }
        return text.split(separator: "\n").first { $0.hasPrefix("btime ") }
            .flatMap { Double($0.dropFirst(6)) }
    }
}
