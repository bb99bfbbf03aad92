import Subprocess
import SystemPackage

/// Ends PostgreSQL when the demo is killed and cannot do so itself: servers are daemons, children
/// of nobody, and would stay for ever.
///
/// The guard is a shell that waits for the end of its standard input, which the kernel closes with
/// the demo, however the demo dies. It has a session of its own, so that Ctrl-C spares it.
struct ServerGuard: Sendable {
    let directories: [String]
    /// Removed as well, when the demo is killed.
    let folder: String?

    private static let script = """
        cat >/dev/null
        folder=$1; shift
        for directory do
          pid=$(head -n 1 "$directory/postmaster.pid" 2>/dev/null) || continue
          [ "$(readlink "/proc/$pid/cwd")" = "$directory" ] && kill -9 "$pid"
        done
        sleep 1
        [ -z "$folder" ] || rm -rf "$folder"
        """

    /// Runs `body` under the guard's eyes. Where the guard cannot be started, runs it without.
    func watch<Value: Sendable>(
        _ body: @escaping @Sendable () async -> Value
    ) async -> Value {
        var options = PlatformOptions()
        options.createSession = true
        let configuration = Configuration(
            executable: .path("/bin/sh"),
            arguments: Arguments(["-c", Self.script, "guard", folder ?? ""] + directories),
            platformOptions: options)
        let ready = Task { await body() }
        return await withTaskCancellationHandler {
            // The guard's own task is not cancelled with the demo: it outlives the cleaning up.
            await Task {
                _ = try? await Subprocess.run(
                    configuration, input: .inputWriter, output: .discarded, error: .discarded
                ) { execution in
                    _ = await ready.value
                    // Killed before its input ends, it has nothing left to do.
                    try execution.send(signal: .kill)
                }
                return await ready.value
            }.value
        } onCancel: {
            ready.cancel()
        }
    }
}
