import Foundation

/// Whether the service manager would start the service by itself: then a fenced primary comes back
/// until the agent's patrol stops it.
package struct UnitCheck: Equatable, Sendable {
    /// Whether nothing but an order starts it.
    package var isSafe: Bool
    /// For people.
    package var text: String

    private static let timeoutMs: Int64 = 10_000

    /// - Parameter systemctl: the absolute path of the program that is asked.
    package static func run(unit: String, systemctl: String = "/usr/bin/systemctl") async -> Self {
        let result = await ProgramRunner.run(
            argv: [
                systemctl, "show", "--property=LoadState,UnitFileState,Restart", "--", unit,
            ], timeoutMs: timeoutMs)
        guard result.succeeded else {
            return Self(
                isSafe: false,
                text: "unit \(unit): it cannot be looked at: \(systemctl) \(result.explanation)")
        }
        var values: [Substring: Substring] = [:]
        for line in String(decoding: result.output, as: UTF8.self).split(separator: "\n") {
            guard let sign = line.firstIndex(of: "=") else { continue }
            values[line[..<sign]] = line[line.index(after: sign)...]
        }
        return judge(
            unit, load: values["LoadState"] ?? "", file: values["UnitFileState"] ?? "",
            restart: values["Restart"] ?? "")
    }

    static func judge(
        _ unit: String, load: Substring, file: Substring, restart: Substring
    ) -> Self {
        if load == "masked" { return Self(isSafe: true, text: "unit \(unit): masked") }
        if load == "not-found" {
            return Self(
                isSafe: false, text: "unit \(unit): there is no such unit; correct the name")
        }
        let remedy = "run: systemctl mask \(unit)"
        guard file == "disabled" || file == "static" else {
            return Self(
                isSafe: false,
                text: "unit \(unit): it starts by itself at boot (\(file)); \(remedy)")
        }
        guard restart == "no" else {
            return Self(
                isSafe: false,
                text:
                    "unit \(unit): it is started again when it ends (Restart=\(restart)); \(remedy)"
            )
        }
        return Self(
            isSafe: true,
            text: "unit \(unit): \(file), started by hand alone; to be sure, \(remedy)")
    }
}
