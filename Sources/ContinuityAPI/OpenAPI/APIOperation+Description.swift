import HTTPTypes

extension APIOperation {
    /// Each case has its description in `Routes/`, in the file of its group.
    package var description: OperationDescription {
        switch self {
        case .live, .ready, .openAPI: healthDescription
        case .deepHealth, .metrics, .events: observabilityDescription
        case .report, .links: agentDescription
        case .whoAmI, .tokenCreate, .tokenList, .tokenRevoke, .tokenClaim: accessDescription
        case .status: statusDescription
        case .auditList, .auditShow: auditDescription
        case .failover, .switchover: moveDescription
        case .adopt: adoptDescription
        case .drill, .drillShow, .hooksReload, .hookDismiss: drillDescription
        case .brakeShow, .brakeClear, .pause, .resume, .maintenanceStart, .maintenanceEnd:
            brakeDescription
        case .scheduleList, .schedule, .scheduleCancel: scheduleDescription
        case .approve, .acceptDataLoss, .refuse, .breakGlass, .reviewClose: approvalDescription
        case .approvalLinkShow, .approvalLinkAnswer: approvalLinkDescription
        case .plan, .execute, .statusOfBody, .simulate: predecessorDescription
        }
    }

    /// With those that every change carries.
    package var parameters: [OperationDescription.Parameter] {
        description.parameters + (rule.changes ? CommonSchemas.stampParameters : [])
    }

    /// Every error that it may answer with: its own, then those that follow from its rule.
    package var refusals: [OperationDescription.Refusal] {
        let description = description
        var all = description.refusals
        if !parameters.isEmpty || description.body != nil {
            let field = description.body == nil ? "parameter" : "body"
            all.append(.init(400, "bad-\(field)", "'limit' must be a whole number from 1 to 1000"))
        }
        if rule.changes {
            all.append(CommonSchemas.noNonce)
            all.append(CommonSchemas.stale)
        }
        if description.body != nil { all.append(CommonSchemas.tooLarge) }
        if rule.need != .anyone {
            all += [CommonSchemas.unauthorized, CommonSchemas.forbidden]
        }
        all.append(CommonSchemas.tooMany)
        if description.needsJournal {
            all += [
                CommonSchemas.journalUnavailable, CommonSchemas.overloaded, CommonSchemas.stopping,
            ]
        }
        return all
    }
}

extension OperationDescription.Refusal {
    static func title(_ status: Int) -> String { HTTPResponse.Status(code: status).reasonPhrase }
}
