//! `errno`: the system's error numbers by name.

use crate::object::native::NativeModule;
use crate::object::value::Value;
use crate::os::errno::NUMBERS;
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "errno",
    doc: "The system's error numbers.\n\nThe dictionary errorcode maps numbers to names.",
    functions: &[],
    types: &[],
    init: Some(init),
};

fn init(vm: &mut Vm, module: &Value) -> Result<()> {
    let names = vm.new_dict();
    for (name, number) in NUMBERS {
        let number = Value::small(i64::from(*number));
        vm.set_attr_str(module, name, &number)?;
        let name = vm.intern(name);
        vm.dict_set(&names, &number, name)?;
    }
    vm.set_attr_str(module, "errorcode", &names)
}
