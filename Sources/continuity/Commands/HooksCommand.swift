import ArgumentParser

struct HooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hooks",
        abstract: "Write, check, test and run hook packs. Without a server, except for reload.",
        subcommands: [
            HooksNew.self, HooksCheck.self, HooksTest.self, HooksRun.self, HooksList.self,
            HooksReplay.self, HooksReload.self,
        ])
}
