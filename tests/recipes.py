"""Recipes: databases as services made by the FastAPI recipe, and by what people do to it, leave them."""

RECIPE = """
CREATE TABLE users (
    id serial NOT NULL, name varchar(100) NOT NULL, email varchar(255) NOT NULL, hashed_password varchar(255) NOT NULL,
    PRIMARY KEY (id));
CREATE UNIQUE INDEX ix_users_email ON users (email);
CREATE TABLE developers (
    id serial NOT NULL, name varchar(100) NOT NULL, email varchar(255) NOT NULL, specialty varchar(100) NOT NULL,
    created_at timestamp, PRIMARY KEY (id));
CREATE UNIQUE INDEX ix_developers_email ON developers (email);
CREATE INDEX ix_developers_specialty ON developers (specialty);
INSERT INTO users (name, email, hashed_password) SELECT 'Person ' || n, 'P' || n || '@Example.com', 'x'
FROM generate_series(1, 30) n;
INSERT INTO developers (name, email, specialty, created_at) SELECT 'Dev ' || n, 'd' || n || '@example.com', 'sql',
    CASE WHEN n > 1 THEN timestamp '2024-02-03 04:05:06' END FROM generate_series(1, 3) n;
"""
"""As `create_all` makes it."""

MIGRATED = """
CREATE TABLE alembic_version (
    version_num varchar(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
INSERT INTO alembic_version VALUES ('1a31ce608336');
CREATE TABLE roles (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE users (
    id integer GENERATED ALWAYS AS IDENTITY (START 100), full_name text, name text, email varchar(320) NOT NULL,
    hashed_password text NOT NULL, is_active boolean DEFAULT true NOT NULL, is_superuser boolean DEFAULT false NOT NULL,
    role_id integer REFERENCES roles, settings jsonb, updated_at timestamptz,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, domain text GENERATED ALWAYS AS (is_active::text) STORED,
    CONSTRAINT "Users Key" PRIMARY KEY (id), CONSTRAINT users_email_key UNIQUE (email), CHECK (name <> 'nobody'));
COMMENT ON COLUMN users.name IS 'what we call them';
COMMENT ON TABLE users IS 'people';
CREATE INDEX ix_users_name ON users (name);
CREATE INDEX ix_users_id ON users (id);
CREATE UNIQUE INDEX ix_users_lower ON users (lower(email)) WHERE is_active;
CREATE TABLE orders (id serial PRIMARY KEY, user_id integer NOT NULL REFERENCES users ON DELETE CASCADE);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO users (name, email, hashed_password) VALUES ('Ann', 'ann@example.com', 'x'), ('Bo', 'bo@example.com', 'x');
INSERT INTO orders (user_id) SELECT id FROM users;
"""
"""With migrations, and years of them."""

PLAIN = """
CREATE TABLE users (
    id bigserial PRIMARY KEY, name varchar(50) NOT NULL, email text NOT NULL, hashed_password varchar(60) NOT NULL);
INSERT INTO users (id, name, email, hashed_password) VALUES (40, 'Ann', 'ann@example.com', 'x');
"""
"""Without a rule for addresses, and with ids that somebody gave."""
