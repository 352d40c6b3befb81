model.tfe:6:10 e a private value cannot be stored in the public variable `best`
model.tfe:9:1 w this reveals a value that nobody uses
