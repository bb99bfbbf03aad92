import ArgumentParser

struct HooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hooks",
        abstract: "Write, check, test and run hook packs. Reload and dismiss ask a server.",
        subcommands: [
            HooksNew.self, HooksCheck.self, HooksTest.self, HooksRun.self, HooksList.self,
            HooksReplay.self, HooksReload.self, HooksDismiss.self,
            HooksDoctor.self,
        ])
}
