/// Starts a stopped server where it is, unless something on it was interrupted.
package struct PostgresRestart: Sendable {
    package var dataDirectory: String
    package var configFile: String
    package var logFile: String
    package var binDirectory: String?
    package var stallLimit: Duration = .seconds(300)

    package init(dataDirectory: String, configFile: String, logFile: String) {
        self.dataDirectory = dataDirectory
        self.configFile = configFile
        self.logFile = logFile
    }

    /// Returns when it accepts connections, however long its recovery takes.
    ///
    /// - Throws: `PostgresError` with the end of the server's log.
    package func run() async throws {
        let directory = try DataDirectory(dataDirectory)
        let exchange = DirectoryExchange(directory: directory, majorVersion: 0)
        guard !exchange.isUnfinished else {
            throw PostgresError(
                "\(directory.path): the exchange for a new copy was interrupted, it must not be "
                    + "started; order a rejoin")
        }
        guard try PostgresRewind(directory: directory).remains() == .none else {
            throw PostgresError(
                "\(directory.path): a pg_rewind of it was interrupted, it must not be started; "
                    + "order a rejoin")
        }
        try PostgresProcesses(dataDirectory: directory.path).removeStaleLocks()
        let installation = try await PostgresInstallation.locate(
            for: directory, binDirectory: binDirectory)
        let log = ServerLog(directory: directory, startFile: logFile)
        do {
            try await PostgresStart(
                installation: installation, directory: directory, configFile: configFile,
                logFile: logFile, stallLimit: stallLimit
            ).run(log: log)
        } catch let failure as RejoinFailure {
            throw failure.error
        }
    }
}
