//! Names of entries, kept close together, in their order, each found at once.
//!
//! An archive may have millions of entries, so a name is in memory once: all of
//! them stand in one text, and what finds one holds its number.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::error::{ArchiveError, shown};

/// Checked names, numbered from 0 in the order in which they came.
///
/// No two of them would be the same file when unpacked, and none a file where another has a folder.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    text: String,
    /// Where each name ends in the text.
    ends: Vec<usize>,
    /// The numbers of the names.
    numbers: HashTable<u32>,
    /// The folders above any entry.
    folders: HashTable<Folder>,
    hasher: RandomState,
}

/// The beginning of a name, up to one of its `/`.
#[derive(Clone, Copy, Debug)]
struct Folder {
    number: u32,
    length: u32,
}

impl NameTable {
    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all names together.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// A name by its number.
    ///
    /// # Panics
    /// There has to be one.
    pub(super) fn get(&self, number: usize) -> &str {
        name_in(&self.text, &self.ends, number)
    }

    /// The number of a name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let hash = self.hasher.hash_one(name);
        self.numbers.find(hash, |number| self.get(*number as usize) == name).map(|number| *number as usize)
    }

    /// Adds a checked name; refuses a second entry of the name, and a file where a folder is.
    pub(super) fn insert(&mut self, name: &str) -> Result<(), ArchiveError> {
        let refuse = |reason| Err(ArchiveError::BadName { name: shown(name), reason });
        let (path, twin) = match name.strip_suffix('/') {
            Some(path) => (path, path.to_owned()),
            None => (name, format!("{name}/")),
        };
        if self.find(name).is_some() {
            return refuse("an entry before it has the same name");
        }
        if self.find(&twin).is_some() {
            return refuse("an entry before it has the same name, one as a file and one as a folder");
        }
        if path == name && self.has_folder(path) {
            return refuse("an entry before it makes this name a folder");
        }
        let Ok(number) = u32::try_from(self.len()) else {
            return refuse("it has too many entries before it");
        };
        let mut rest = path;
        let mut new_folders = Vec::new();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if self.has_folder(parent) {
                break;
            }
            if self.find(parent).is_some() {
                return refuse("an entry before it makes a folder of this name a file");
            }
            new_folders.push(parent.len());
            rest = parent;
        }
        self.text.push_str(name);
        self.ends.push(self.text.len());
        let Self { text, ends, numbers, folders, hasher } = self;
        let get = |number: u32| name_in(text, ends, number as usize);
        numbers.insert_unique(hasher.hash_one(name), number, |number| hasher.hash_one(get(*number)));
        for length in new_folders {
            // No longer than a name, which is at most some thousand bytes.
            let folder = Folder { number, length: u32::try_from(length).unwrap_or(u32::MAX) };
            folders.insert_unique(hasher.hash_one(&name[..length]), folder, |folder| {
                hasher.hash_one(&get(folder.number)[..folder.length as usize])
            });
        }
        Ok(())
    }

    fn has_folder(&self, path: &str) -> bool {
        let hash = self.hasher.hash_one(path);
        let is_it = |folder: &Folder| {
            folder.length as usize == path.len()
                && self.get(folder.number as usize).as_bytes()[..path.len()] == *path.as_bytes()
        };
        self.folders.find(hash, is_it).is_some()
    }
}

fn name_in<'a>(text: &'a str, ends: &[usize], number: usize) -> &'a str {
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start..ends[number]]
}

impl PartialEq for NameTable {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.ends == other.ends
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn collide(names: &[&str]) -> bool {
        let mut table = NameTable::default();
        names.iter().any(|name| table.insert(name).is_err())
    }

    #[test]
    fn two_entries_never_become_the_same_file() {
        assert!(collide(&["a", "a"]));
        assert!(collide(&["a/", "a/"]));
        assert!(collide(&["a", "a/"]));
        assert!(collide(&["a/", "a"]));
        assert!(collide(&["a/b", "a"]));
        assert!(collide(&["a", "a/b/c"]));
        assert!(collide(&["a/b/c", "a/b"]));
        assert!(!collide(&["a/b/c", "a/", "a/b/", "a/c", "A", "a/B"]));
    }

    proptest! {
        #[test]
        fn names_are_taken_and_found_as_a_plain_model_says(
            names in prop::collection::vec("[ab]{1,2}(/[ab]{1,2}){0,3}/?", 0..40),
        ) {
            let mut table = NameTable::default();
            let mut taken: Vec<String> = Vec::new();
            for name in &names {
                let path = name.trim_end_matches('/');
                let folders: BTreeSet<&str> = taken
                    .iter()
                    .flat_map(|other| other.match_indices('/').map(|(at, _)| &other[..at]))
                    .collect();
                let files: BTreeSet<&str> =
                    taken.iter().map(String::as_str).filter(|other| !other.ends_with('/')).collect();
                let is_refused = taken.contains(name)
                    || files.contains(path)
                    || path == name && folders.contains(path)
                    || path.match_indices('/').any(|(at, _)| files.contains(&path[..at]));
                prop_assert_eq!(table.insert(name).is_err(), is_refused, "{} after {:?}", name, taken);
                if !is_refused {
                    taken.push(name.clone());
                }
            }
            prop_assert_eq!(table.len(), taken.len());
            for (number, name) in taken.iter().enumerate() {
                prop_assert_eq!(table.get(number), name);
                prop_assert_eq!(table.find(name), Some(number));
            }
        }
    }
}
