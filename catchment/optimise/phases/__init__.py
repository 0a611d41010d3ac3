"""Parts of the consolidation model: question, account, recheck, model, search and bound."""
