"""What all CRMs share: their keys, and the rules by which facts become rows of the contract."""
