import ContinuityPostgres
import FoundationEssentials
import Glibc

/// Programs that an agent had begun when it was killed: they would go on, and start a server when
/// everybody has left.
struct Leftovers: Sendable {
    /// The demo's folder, whose name is unique; our programs name files in it.
    let folder: String
    /// Whose programs they may be: `continuity` itself, and the folder of PostgreSQL's. Somebody
    /// who looks into the folder with a program of their own is left alone.
    let executable: String
    let binDirectory: String

    /// Kills them all and sees them gone, within two seconds.
    func kill() async {
        _ = try? await poll(every: .milliseconds(5), for: .seconds(2)) {
            let found = living()
            for pid in found { _ = Glibc.kill(pid, SIGKILL) }
            return found.isEmpty
        }
    }

    private func living() -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { $0 != getpid() && isOurs($0) }
    }

    /// A zombie has no command line any more.
    private func isOurs(_ pid: Int32) -> Bool {
        guard let data = try? Data(contentsOf: URL(filePath: "/proc/\(pid)/cmdline")) else {
            return false
        }
        let arguments = data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        guard arguments.contains(where: { $0.contains(folder + "/") }) else { return false }
        // `setpriv` and the like stand before the program itself.
        return arguments.contains {
            $0 == executable || $0 == executable + "-agent-guard"
                || $0.hasPrefix(binDirectory + "/")
        }
    }
}
