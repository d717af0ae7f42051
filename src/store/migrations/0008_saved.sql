-- What a kept answer had cost when it was got first: what giving it again has saved. In nano-dollars.
ALTER TABLE requests ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;
