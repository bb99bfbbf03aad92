import ArgumentParser
import ContinuityCommandLine
import ContinuityDemo
import Glibc

extension DemoOptions.Scenario: ExpressibleByArgument {}
extension DemoOptions.Profile: ExpressibleByArgument {}

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Kill a real PostgreSQL primary and watch continuity move it.",
        discussion: """
            Three PostgreSQL servers with an agent each, one 'continuity serve', an alert \
            receiver and a client that writes all the time, under one temporary folder and on \
            free loopback ports. Exits with 0 only if everything held.
            """)

    @Option(
        help: "crash, node-loss, switchover, drill, or by-hand (the floor, without continuity).")
    var scenario = DemoOptions.Scenario.crash

    @Option(name: .customLong("repeat"), help: "How often, on the same cluster.")
    var repetitions = 1

    @Option(help: "Detection profile: standard or lan.")
    var profile: DemoOptions.Profile?

    @Option(help: "Kill 'serve' too, when its journal shows this kind of entry; it must go on.")
    var killServeAt: String?

    @Flag(help: "Print the report as one JSON document.")
    var json = false

    @Flag(help: "Leave the folder with configuration, logs and journal.")
    var keep = false

    func validate() throws {
        guard (1...DemoOptions.maximumRepetitions).contains(repetitions) else {
            throw ValidationError("--repeat is 1 to \(DemoOptions.maximumRepetitions).")
        }
    }

    func run() async throws {
        let options = DemoOptions(
            scenario: scenario, repetitions: repetitions, json: json, keep: keep,
            profile: profile, killServeAt: killServeAt)
        let code = await Demo(options: options, executablePath: try ownPath()).run()
        if code != 0 { throw ExitCode(code) }
    }
}

/// The path of this very program, however it was called.
private func ownPath() throws -> String {
    guard let path = realpath("/proc/self/exe", nil) else {
        throw failure("the program's own path cannot be found", Exit.internalError)
    }
    defer { free(path) }
    return String(cString: path)
}
