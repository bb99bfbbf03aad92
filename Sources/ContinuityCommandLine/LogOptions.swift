import ArgumentParser
package import Logging

/// How a long-running command logs. Logs go to standard error.
package struct LogOptions: ParsableArguments {
    package enum Format: String, CaseIterable, ExpressibleByArgument {
        case human, json
    }

    @Option(help: "Lines for people, or one JSON object a line.")
    package var logFormat = Format.human

    @Option(help: "The least severe level that is logged: debug, info, notice, warning, error.")
    package var logLevel = "info"

    package init() {}

    package func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level is debug, info, notice, warning or error.")
        }
    }

    package func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { label in
            switch logFormat {
            case .human: SafeLogHandler(StreamLogHandler.standardError(label: label))
            case .json: JSONLogHandler(label: label)
            }
        }
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        return logger
    }
}
