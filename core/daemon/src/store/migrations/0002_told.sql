CREATE TABLE tributary_told (
    target TEXT NOT NULL,
    connection TEXT NOT NULL,
    memory TEXT NOT NULL,
    PRIMARY KEY (target, connection)
)
