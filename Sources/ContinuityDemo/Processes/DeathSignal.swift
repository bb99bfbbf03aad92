import Glibc

/// Programs that end with the demo.
enum DeathSignal {
    /// What stands before an argument vector so that the program gets SIGTERM when the thread that
    /// started it dies; empty where the tool is missing. The tool replaces itself with the program,
    /// so the process id stays the same. Subprocess starts everything from one thread that lives as
    /// long as the process.
    static let prefix: [String] = {
        let tool = "/usr/bin/setpriv"
        return access(tool, X_OK) == 0 ? [tool, "--pdeathsig", "TERM", "--"] : []
    }()
}
