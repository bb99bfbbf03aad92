import Foundation

/// The programs that come with ours and that nobody calls by hand.
package enum CompanionProgram {
    /// Where a program is expected: beside this one, else in `../libexec/continuity`, where the
    /// packages put it. The name alone where this program's own place is not known.
    package static func path(_ name: String) -> String {
        guard let own = realpath("/proc/self/exe", nil) else { return name }
        defer { free(own) }
        let folder = URL(fileURLWithPath: String(cString: own)).deletingLastPathComponent()
        let beside = folder.appendingPathComponent(name).path
        let packaged = folder.deletingLastPathComponent()
            .appendingPathComponent("libexec/continuity/\(name)").path
        guard !FileManager.default.fileExists(atPath: beside),
            FileManager.default.fileExists(atPath: packaged)
        else { return beside }
        return packaged
    }
}
